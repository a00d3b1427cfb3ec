// SPDX-License-Identifier: Apache-2.0
// Keeps secrets of URLs out of logs, messages and explanations.

/**
 * A location of a model as it may be shown. The query, the fragment, and user and password of a URL may hold what lets
 * others read.
 * @param location  a path or URL, or `name=` and one of those.
 */
export function redact(location: string): string {
  const [, start, rest = ''] = /^((?:[^/=]+=)?\s*https?:[\\/\s]*)(.*)$/is.exec(location) ?? [];
  if (start === undefined) return location;
  return start + rest.replace(/[?#].*$/s, '').replace(/^[^\\/]*@/, '');
}
