// SPDX-License-Identifier: Apache-2.0
// Headers that only some handlers look at.
import type { HttpRequest } from './route.js';

/**
 * @param name  in lower case, none of those that HttpRequest has fields for.
 * @returns     the value of the first line; empty when it did not come.
 */
export function headerOf({ otherHeaders }: HttpRequest, name: string): string {
  for (let index = 0; index < otherHeaders.length; index += 2) {
    if (otherHeaders[index] === name) return otherHeaders[index + 1] ?? '';
  }
  return '';
}
