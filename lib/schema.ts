// SPDX-License-Identifier: Apache-2.0
// Checks options of any origin against the option table and words what is wrong with them.
import type { ErrorObject, ValidateFunction } from 'ajv';
import { describe, type ErrorCode, InferenceError, quoteAll } from './errors.js';
import type { CheckedOptions } from './option_types.js';
import { optionTable, type Schema } from './options.js';

/** Where options come from: how messages begin, which code they carry, and what is allowed there. */
export interface OptionSource {
  readonly label: string;
  readonly code: ErrorCode;
  readonly caller: boolean;
}

const validators = new Map<boolean, ValidateFunction>();

/**
 * Checks a value against the option table.
 * @param value   anything.
 * @param source  of the value; `caller` allows what a file must not set.
 * @returns       the same value, typed. Defaults are not filled in.
 * @throws        the code of the source, naming the key, what was expected and what came.
 */
export async function checkOptions(value: unknown, source: OptionSource): Promise<CheckedOptions> {
  let validate = validators.get(source.caller);
  if (validate === undefined) {
    // Loaded here because it takes longer than all the rest of this package, and plain files need none of it.
    const { Ajv } = await import('ajv');
    validate = new Ajv({ verbose: true, allErrors: true }).compile(optionSchema(source.caller));
    validators.set(source.caller, validate);
  }
  if (validate(value)) return value as CheckedOptions;
  // A misspelt key is often a missing one as well; the spelling is what helps.
  const problem =
    validate.errors?.find(error => error.keyword === 'additionalProperties') ??
    validate.errors?.[0];
  throw new InferenceError(source.code, `${source.label}: ${problemText(problem)}`);
}

/** The JSON schema of model.json, or with `caller` of the options of loadModel(). */
export function optionSchema(caller: boolean): Schema {
  const root: Node = { children: new Map(), required: [] };
  for (const row of optionTable) {
    if (row.callerOnly === true && !caller) continue;
    let node = root;
    const path = row.key.split('.');
    for (const [depth, key] of path.entries()) {
      // A required option makes the objects around it required, down from the one that has a free name. The
      // caller may leave out what model.json has: that is checked once the two are joined.
      if (row.required && !caller && path.indexOf('*') < depth) node.required.push(key);
      const next = node.children.get(key) ?? { children: new Map(), required: [] };
      node.children.set(key, next);
      node = next;
    }
    node.leaf = row.schema;
  }
  return nodeSchema(root);
}

interface Node {
  readonly children: Map<string, Node>;
  readonly required: string[];
  leaf?: Schema;
}

function nodeSchema(node: Node): Schema {
  if (node.leaf !== undefined) return node.leaf;
  const anyName = node.children.get('*');
  if (anyName !== undefined) return { type: 'object', additionalProperties: nodeSchema(anyName) };
  const properties = Object.fromEntries(
    [...node.children].map(([key, child]) => [key, nodeSchema(child)]),
  );
  return { type: 'object', properties, additionalProperties: false, required: node.required };
}

function problemText(problem: ErrorObject | undefined): string {
  if (problem === undefined) return 'not valid';
  const path = problem.instancePath
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const where = path.length === 0 ? '' : `"${path.join('.')}": `;
  const { parentSchema, params, keyword } = problem;
  const known = Object.keys((parentSchema as Schema | undefined)?.properties ?? {});
  if (keyword === 'additionalProperties') {
    return `${where}unknown key ${describe(params['additionalProperty'])}; known keys are ${quoteAll(known)}`;
  }
  if (keyword === 'required') {
    return `${where}key ${describe(params['missingProperty'])} is missing`;
  }
  return `${where}expected ${expectation(parentSchema as Schema)}, got ${describe(problem.data)}`;
}

/** What a schema allows, in words: `an integer from 1 to 65536`. */
export function expectation(schema: Schema): string {
  if (schema.enum !== undefined) return orList(schema.enum);
  if (schema.type === 'array') return arrayText(schema);
  if (schema.type === 'object') return objectText(schema);
  if (schema.type === 'boolean') return 'true or false';
  if (schema.type === 'string') return stringText(schema);
  const { minimum, exclusiveMinimum, maximum } = schema;
  const noun = schema.type === 'integer' ? 'an integer' : 'a number';
  if (exclusiveMinimum !== undefined) return `${noun} above ${exclusiveMinimum} up to ${maximum}`;
  return minimum === undefined ? noun : `${noun} from ${minimum} to ${maximum}`;
}

function orList(values: readonly string[]): string {
  const quoted = values.map(value => `"${value}"`);
  if (quoted.length < 2) return quoted.join();
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

function stringText({ maxLength, description }: Schema): string {
  const limit = maxLength === undefined ? '' : ` of 1 to ${maxLength} characters`;
  return `a string${limit}${description === undefined ? '' : ` ${description}`}`;
}

function objectText({ properties, additionalProperties }: Schema): string {
  if (properties === undefined && additionalProperties)
    return 'an object with names of the model as keys';
  return `an object with ${quoteAll(Object.keys(properties ?? {}))}`;
}

const plurals: { readonly [type: string]: string } = { integer: 'integers', number: 'numbers' };

function arrayText({ items, minItems, maxItems, uniqueItems }: Schema): string {
  const { type, properties, minimum, maximum } = items ?? {};
  const most = maxItems === undefined ? '' : `${maxItems}`;
  const count = minItems === maxItems ? most : `${minItems ?? 0} to ${most}`;
  const range = minimum === undefined ? '' : `from ${minimum} to ${maximum}`;
  const each = properties === undefined ? range : `with ${quoteAll(Object.keys(properties))}`;
  const noun = plurals[type ?? ''] ?? 'objects';
  const words = ['an array of', count, uniqueItems ? 'different' : '', noun, each];
  return words.filter(word => word !== '').join(' ');
}
