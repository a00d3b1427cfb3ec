// SPDX-License-Identifier: Apache-2.0
// Chooses the reader.
#include "native/codec/body.h"

#include <memory>
#include <string_view>
#include <utility>

#include "native/base/error.h"
#include "native/codec/answer.h"
#include "native/codec/csv_form.h"
#include "native/codec/json_request.h"
#include "native/codec/rows_form.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"
#include "native/codec/utf8.h"

namespace infer::codec {

Result<JsonRequest> readBody(std::string_view body, const std::shared_ptr<const Schema>& schema,
                             const JsonOptions& options) {
  const bool isCsv = options.forms == kCsv;
  if (!isCsv && options.forms != kLines) {
    return readJson(body, schema, options);
  }
  const char* const format = isCsv ? "CSV in UTF-8" : "JSON Lines in UTF-8";
  if (body.empty()) {
    return badInput("body", format, "no bytes");
  }
  if (!isUtf8(body)) {
    return badInput("body", format, "bytes that are not UTF-8");
  }
  auto inputs = isCsv ? readCsv(body, *schema) : readLineRows(body, *schema);
  if (!inputs.ok()) {
    return std::move(inputs).error();
  }
  if (auto fits = checkRows(*schema, inputs.value()); !fits.ok()) {
    return std::move(fits).error();
  }
  AnswerPlan plan{.form = isCsv ? kCsv : kLines};
  if (!isCsv) {
    plan.rows = inputs.value()[0].shape[0];
  }
  return JsonRequest{std::move(inputs).value(),
                     makeAnswer(schema, std::move(plan), options.answer, options.maxResponseBytes)};
}

}  // namespace infer::codec
