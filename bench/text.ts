// SPDX-License-Identifier: Apache-2.0
// Text inside HTML and SVG.

/** Escapes what would end or begin markup, in contents and in quoted attributes. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
