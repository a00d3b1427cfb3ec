// SPDX-License-Identifier: Apache-2.0
// A/B: how the traffic of a model is shared out among its versions, set while it serves.
import { badInput, describe, quote } from '../../decode/describe.js';
import { jsonReply } from '../../reply.js';
import type { HttpReply, Route, ServerContext } from '../../route.js';
import type { Traffic, Variant } from '../../traffic.js';
import { requireKnown } from './known.js';
import { isObject, parseLoosely } from './loose_json.js';

const listener = 'management';
const path = '/models/{model}/traffic';

export function trafficRoutes(server: ServerContext): Route[] {
  const { registry } = server;
  const shown = (name: string): HttpReply => {
    requireKnown(registry, name);
    const { variants = [], stickyHeader } = registry.trafficOf(name) ?? {};
    return jsonReply(200, { variants, stickyHeader });
  };
  const set = async (name: string, traffic: Traffic | undefined): Promise<HttpReply> => {
    for (const { version } of traffic?.variants ?? []) requireKnown(registry, name, version);
    requireKnown(registry, name);
    await registry.setTraffic(name, traffic);
    return shown(name);
  };
  return [
    { listener, method: 'GET', path, handle: (_, [name = '']) => shown(name) },
    {
      listener,
      method: 'PUT',
      path,
      handle: ({ body }, [name = '']) => set(name, readTraffic(body)),
    },
    { listener, method: 'DELETE', path, handle: (_, [name = '']) => set(name, undefined) },
  ];
}

/** As many as SageMaker has variants of an endpoint. */
const mostVariants = 10;
/** @source  SageMaker API reference, VariantName. */
const variantName = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
/** @source  RFC 9110, token. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** What every request has, or the server takes out for itself. */
const framing = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'expect',
  'host',
  'origin',
  'x-server-timing',
]);

/** @throws  INFER_BAD_INPUT with the path of the first thing that is wrong. */
export function readTraffic(body: Buffer): Traffic {
  const value = parseLoosely(body);
  if (!isObject(value)) throw badInput('body', 'an object with "variants"', describe(value));
  refuseOthers(value, '', ['variants', 'stickyHeader']);
  const { variants: given, stickyHeader } = value;
  if (!Array.isArray(given) || given.length === 0 || given.length > mostVariants) {
    const got = Array.isArray(given) ? `${given.length}` : describe(given);
    throw badInput('variants', `an array of 1 to ${mostVariants} variants`, got);
  }
  const variants = given.map(readVariant);
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw badInput('variants', 'each name once', `${quote(twice)} again`);
  if (variants.every(({ weight }) => weight === 0)) {
    throw badInput('variants', 'a weight above 0', 'none');
  }
  if (stickyHeader === undefined) return { variants };
  if (typeof stickyHeader !== 'string' || !headerName.test(stickyHeader)) {
    throw badInput('stickyHeader', 'the name of a header', describe(stickyHeader));
  }
  const name = stickyHeader.toLowerCase();
  if (framing.has(name)) {
    throw badInput('stickyHeader', 'a header that tells callers apart', describe(stickyHeader));
  }
  return { variants, stickyHeader: name };
}

function readVariant(value: unknown, index: number): Variant {
  const where = `variants[${index}]`;
  if (!isObject(value)) throw badInput(where, 'an object', describe(value));
  refuseOthers(value, `${where}.`, ['name', 'version', 'weight']);
  const { name, version, weight } = value;
  if (typeof name !== 'string' || !variantName.test(name)) {
    throw badInput(`${where}.name`, 'up to 63 letters, digits and hyphens', describe(name));
  }
  if (typeof version !== 'string') throw badInput(`${where}.version`, 'a text', describe(version));
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1e6)) {
    throw badInput(`${where}.weight`, 'a number from 0 to 1000000', describe(weight));
  }
  return { name, version, weight };
}

function refuseOthers(value: object, path: string, known: readonly string[]): void {
  const other = Object.keys(value).find(key => !known.includes(key));
  if (other !== undefined) throw badInput(`${path}${other}`, `only ${known.join(', ')}`, 'it');
}
