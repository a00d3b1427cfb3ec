// SPDX-License-Identifier: Apache-2.0
// Which version of a model a request gets when its traffic is shared out: by weight, by a key, or by name.

/** A share of a model's traffic. */
export interface Variant {
  readonly name: string;
  /** Of the model. */
  readonly version: string;
  /** Its share is this over the sum of all; 0 for none but what asks for it by name. */
  readonly weight: number;
}

export interface Traffic {
  /** One weight at least is above 0. */
  readonly variants: readonly Variant[];
  /** Header whose value decides instead of chance, in lower case; requests without it are left to chance. */
  readonly stickyHeader?: string | undefined;
}

/** Model, then name of the variant -> requests that it was chosen for. */
export type VariantCounts = Map<string, Map<string, number>>;

/** Notes that a variant was chosen. */
export function countVariant(counts: VariantCounts, model: string, variant: string): void {
  const ofModel = counts.get(model) ?? new Map<string, number>();
  counts.set(model, ofModel);
  ofModel.set(variant, (ofModel.get(variant) ?? 0) + 1);
}

/** The shares of the others; undefined when none of them has a weight. */
export function withoutVersion(traffic: Traffic, version: string): Traffic | undefined {
  const variants = traffic.variants.filter(own => own.version !== version);
  return variants.some(({ weight }) => weight > 0) ? { ...traffic, variants } : undefined;
}

/** What of a request has a say. */
export interface Wish {
  /** Name of the variant that is wanted whatever its weight; empty for none. */
  readonly target: string;
  /** Value of the sticky header; empty for none. */
  readonly key: string;
}

/**
 * @param random  uniform in [0, 1).
 * @returns       undefined when there is no variant of the wanted name.
 */
export function choose(
  { variants }: Traffic,
  { target, key }: Wish,
  random: () => number = Math.random,
): Variant | undefined {
  if (target !== '') return variants.find(({ name }) => name === target);
  const sum = variants.reduce((total, { weight }) => total + weight, 0);
  let left = (key === '' ? random() : positionOf(key)) * sum;
  // In their order, so that a key moves only where a boundary between two neighbours passes over it.
  for (const variant of variants) {
    left -= variant.weight;
    if (left < 0) return variant;
  }
  return variants.findLast(({ weight }) => weight > 0); // what rounding leaves
}

/**
 * A place in [0, 1) that depends on the key alone.
 * @source  FNV-1a, 32 bit, over UTF-16 units; then the finalizer of MurmurHash3, without which similar keys lie together.
 */
function positionOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
