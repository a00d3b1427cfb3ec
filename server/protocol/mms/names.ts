// SPDX-License-Identifier: Apache-2.0
// Which model `/invocations` is for: the query says it, else a field of the form, else there is only one.
import { isForm, readForm, readQuery, textOf } from '../../decode/fields.js';
import { type Given, isPlain, typeOf } from '../../decode/index.js';
import type { HttpRequest, ServerContext } from '../../route.js';
import { refusal } from './errors.js';
import { modelNotFound } from './known.js';
import { queryParameters } from './parameters.js';

export interface Named {
  readonly name: string;
  readonly given: Given;
}

const key = 'model_name';
/** All that most clients have in their query. */
const onlyName = /^model_name=([\w.-]+)$/;

/** @throws  a refusal when nothing says which model. */
export function readName(server: ServerContext, request: HttpRequest): Named | Promise<Named> {
  const { query } = request;
  if (query === '') return nameWithout(server, request, {});
  const [, model] = onlyName.exec(query) ?? [];
  if (model !== undefined) return { name: model, given: {} };
  const fields = readQuery(query);
  const asked = queryParameters(query).text(key);
  const given = { query: fields };
  return asked ? { name: asked, given } : nameWithout(server, request, given, asked);
}

function nameWithout(
  server: ServerContext,
  { body, contentType, contentEncoding }: HttpRequest,
  given: Given,
  asked?: string,
): Named | Promise<Named> {
  const { startupModel } = server;
  if (isPlain(contentEncoding) && isForm(typeOf(contentType, body))) {
    return readForm(body, contentType).then(form => {
      const model = textOf(form, key) || orElse(startupModel(), asked);
      return { name: model, given: { ...given, form } };
    });
  }
  return { name: orElse(startupModel(), asked), given };
}

function orElse(model: string | undefined, asked: string | undefined): string {
  if (model !== undefined) return model;
  if (asked !== undefined) throw modelNotFound(asked);
  throw refusal(400, 'BadRequestException', `Parameter ${key} is required.`);
}
