// SPDX-License-Identifier: Apache-2.0
// One walk over the text. A plain number is read where it stands; every other cell is cut out
// first.
#include "native/codec/csv_form.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/column.h"
#include "native/codec/cursor.h"
#include "native/codec/number.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // spreadsheets write one

bool isGap(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view cell) {
  while (!cell.empty() && isGap(cell.front())) {
    cell.remove_prefix(1);
  }
  while (!cell.empty() && isGap(cell.back())) {
    cell.remove_suffix(1);
  }
  return cell;
}

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

// As JSON writes it what other programs write as +1, .5, 5. or 007.
std::string asJsonNumber(std::string_view cell) {
  std::string out;
  if (cell.starts_with('-') || cell.starts_with('+')) {
    out += cell.front() == '-' ? "-" : "";
    cell.remove_prefix(1);
  }
  const bool hasDigit = !cell.empty() && (isDigit(cell.front()) || cell.front() == '.');
  while (cell.size() > 1 && cell[0] == '0' && isDigit(cell[1])) {
    cell.remove_prefix(1);
  }
  if (cell.size() > 1 && cell[0] == '.' && isDigit(cell[1])) {
    out += '0';
  }
  const std::size_t point = cell.find('.');
  if (point != std::string_view::npos && point > 0 &&
      (point + 1 == cell.size() || cell[point + 1] == 'e' || cell[point + 1] == 'E')) {
    out += cell.substr(0, point);
    cell.remove_prefix(point + 1);
  }
  return hasDigit ? out.append(cell) : std::string();
}

std::optional<double> wordValue(std::string_view cell) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool negative = cell.starts_with('-');
  if (negative || cell.starts_with('+')) {
    cell.remove_prefix(1);
  }
  const std::string word = lowerCase(cell);
  if (word == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (word == "inf" || word == "infinity") {
    return negative ? -kInfinity : kInfinity;
  }
  return std::nullopt;
}

class CsvReader {
 public:
  CsvReader(std::string_view body, const TensorSpec& spec)
      : body_(body), spec_(spec), column_(spec.type) {}

  Result<Tensor> read() {
    if (auto wrong = learnRow()) {
      return *std::move(wrong);
    }
    column_.reserve(static_cast<std::size_t>(std::ranges::count_if(
                        body_, [](char c) { return c == ',' || c == '\n'; })) +
                    1);
    while (at_ < body_.size()) {
      line_ = nextLine_++;
      if (skipBlank()) {
        continue;
      }
      if (auto wrong = readLine()) {
        return *std::move(wrong);
      }
    }
    return shaped();
  }

 private:
  bool isAt(char c) const { return at_ < body_.size() && body_[at_] == c; }
  void skipGap() {
    while (at_ < body_.size() && isGap(body_[at_])) {
      ++at_;
    }
  }
  // Of a line: its break, or the end of the text.
  bool isLineEnd(std::size_t at) const {
    if (at < body_.size() && body_[at] == '\r') {
      ++at;
    }
    return at == body_.size() || body_[at] == '\n';
  }
  bool isCellEnd() const { return isAt(',') || isLineEnd(at_); }
  void passLineEnd() {
    at_ += isAt('\r') ? 1 : 0;
    at_ += isAt('\n') ? 1 : 0;
  }
  // Steps over the line if there is nothing in it.
  bool skipBlank() {
    const std::size_t start = at_;
    skipGap();
    if (isLineEnd(at_)) {
      passLineEnd();
      return true;
    }
    at_ = start;
    return false;
  }

  // What the signature says of a line.
  std::optional<Error> learnRow() {
    Shape fixed;
    for (std::size_t axis = 1; axis < spec_.shape.size(); ++axis) {
      if (spec_.shape[axis] != kFreeAxis) {
        fixed.push_back(spec_.shape[axis]);
      } else if (freeAxis_ == 0) {
        freeAxis_ = axis;
      } else {
        return badInput(
            "body",
            "a format that says shapes, because " + specText(spec_) + " leaves several open",
            "CSV");
      }
    }
    auto count = elementCount(fixed);
    if (!count.ok()) {
      return std::move(count).error();
    }
    fixed_ = count.value();
    return std::nullopt;
  }

  bool fits(std::size_t cells) const {
    return freeAxis_ == 0 ? cells == fixed_ : fixed_ > 0 && cells % fixed_ == 0;
  }

  std::optional<Error> readLine() {
    std::size_t cells = 0;
    do {
      at_ += cells == 0 ? 0 : 1;
      const std::size_t start = at_;
      ++cells;
      if (!readCell()) {
        return badCell(start, cells);
      }
    } while (isAt(','));
    passLineEnd();
    if (rows_ == 0) {
      if (!fits(cells)) {
        const std::string multiple = freeAxis_ == 0 ? "" : "a multiple of ";
        return badInput(place(),
                        multiple + std::to_string(fixed_) + " cells for " + specText(spec_),
                        std::to_string(cells));
      }
      width_ = cells;
      firstLine_ = line_;
    } else if (cells != width_) {
      return badInput(place(),
                      std::to_string(width_) + " cells as in line " + std::to_string(firstLine_),
                      std::to_string(cells));
    }
    ++rows_;
    return std::nullopt;
  }

  // Steps over a cell and appends its value.
  bool readCell() {
    const std::size_t start = at_;
    if (spec_.type == ElementType::kString) {
      return takeCell() && (column_.addString(cell_), true);
    }
    skipGap();
    if (at_ < body_.size() && (isDigit(body_[at_]) || body_[at_] == '-')) {
      Cursor cursor(body_, at_);
      if (column_.readOne(cursor)) {
        at_ = cursor.at();
        skipGap();
        return isCellEnd();
      }
    }
    if (!isAt('"')) {
      at_ = start;
    }
    return takeCell() && addNumber(trimmed(cell_));
  }

  // Steps over a cell as text; false for quotes that do not end, or end in its middle.
  bool takeCell() {
    scratch_.clear();
    if (!isAt('"')) {
      const std::size_t start = at_;
      while (!isCellEnd()) {
        ++at_;
      }
      cell_ = body_.substr(start, at_ - start);
      return true;
    }
    bool open = true;
    for (++at_; open && at_ < body_.size(); ++at_) {
      if (body_[at_] == '"') {
        if (at_ + 1 == body_.size() || body_[at_ + 1] != '"') {
          open = false;
          continue;
        }
        ++at_;
      }
      nextLine_ += body_[at_] == '\n' ? 1 : 0;
      scratch_ += body_[at_];
    }
    cell_ = scratch_;
    skipGap();
    return !open && isCellEnd();
  }

  bool addNumber(std::string_view cell) {
    if (cell.empty()) {
      return column_.addFloat(std::numeric_limits<double>::quiet_NaN());
    }
    if (const auto value = wordValue(cell)) {
      return column_.addFloat(*value);
    }
    const std::string text = spec_.type == ElementType::kBool && !isDigit(cell.front())
                                 ? lowerCase(cell)
                                 : asJsonNumber(cell);
    Cursor cursor(text);
    return column_.readOne(cursor) && cursor.atEnd();
  }

  std::string place() const { return "line " + std::to_string(line_); }

  Error badCell(std::size_t start, std::size_t column) {
    at_ = start;
    std::string_view rest = body_.substr(start);
    rest = rest.substr(0, rest.find_first_of(",\r\n"));
    const std::string_view shown = trimmed(rest);
    std::string got = shown.empty() ? "an empty cell" : quote(shown);
    if (shown.starts_with('"')) {
      got += " with quotes that do not end where the cell does";
    } else if (rows_ == 0 && !shown.empty()) {
      got += " (a line of names is not taken)";
    }
    return badInput(place() + ", column " + std::to_string(column),
                    std::string(expectedElement(spec_.type)) + " for " + specText(spec_), got);
  }

  Result<Tensor> shaped() {
    if (rows_ == 0) {
      return badInput("body", "lines of CSV", "none");
    }
    Shape shape = spec_.shape;
    const bool fixedRows = !shape.empty() && shape[0] != kFreeAxis;
    const std::int64_t rows = fixedRows ? shape[0] : shape.empty() ? 1 : rows_;
    if (rows != rows_) {
      return badInput("body", std::to_string(rows) + " lines for " + specText(spec_),
                      std::to_string(rows_));
    }
    if (!shape.empty()) {
      shape[0] = rows_;
    }
    if (freeAxis_ != 0) {
      shape[freeAxis_] = static_cast<std::int64_t>(width_ / fixed_);
    }
    return std::move(column_).finish(std::move(shape));
  }

  const std::string_view body_;
  const TensorSpec& spec_;
  Column column_;
  std::size_t at_ = 0;
  std::string_view cell_;  // what takeCell() stepped over
  std::string scratch_;    // of one in quotes
  std::size_t line_ = 1;   // where the current row begins
  std::size_t nextLine_ = 1;
  std::size_t firstLine_ = 1;  // of the first row
  std::int64_t rows_ = 0;
  std::size_t width_ = 0;     // cells of every row
  std::size_t fixed_ = 1;     // product of the fixed axes behind axis 0
  std::size_t freeAxis_ = 0;  // behind axis 0; 0 for none
};

}  // namespace

Result<std::vector<Tensor>> readCsv(std::string_view body, const Schema& schema) {
  if (schema.inputs.size() != 1) {
    return badInput("body",
                    "a format with names, because model " + quote(schema.name) +
                        " has the inputs " + quoteAll(namesOf(schema.inputs)),
                    "CSV");
  }
  if (body.starts_with(kByteOrderMark)) {
    body.remove_prefix(kByteOrderMark.size());
  }
  auto tensor = CsvReader(body, schema.inputs[0]).read();
  if (!tensor.ok()) {
    return std::move(tensor).error();
  }
  std::vector<Tensor> inputs;
  inputs.push_back(std::move(tensor).value());
  return inputs;
}

}  // namespace infer::codec
