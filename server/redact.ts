// SPDX-License-Identifier: Apache-2.0
// Keeps secrets of URLs out of logs, messages and explanations.

/**
 * A location of a model as it may be shown. The query, the fragment, and user and password of a URL may hold what lets
 * others read.
 * @param location  a path or URL, or `name=` and one of those.
 */
export function redact(location: string): string {
  const [, start, slashes = '', rest = ''] =
    /^((?:[^/=]+=)?\s*(?:https?|s3|file):)([\\/\s]*)(.*)$/is.exec(location) ?? [];
  if (start === undefined) return location;
  // A password may hold any sign that nobody has escaped: all before the last @ may be one.
  const at = rest.lastIndexOf('@');
  if (/[?#]/.test(rest.slice(0, at + 1))) return start; // or that @ is of a query: not to be told apart
  return start + slashes + rest.slice(at + 1).replace(/[?#].*$/s, '');
}
