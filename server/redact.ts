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
  // Where it is not to be told apart, all of it may be a password.
  if (!URL.canParse(location.slice(start.search(/(?:https?|s3|file):$/i)))) return start;
  return start + slashes + rest.replace(/[?#].*$/s, '').replace(/^[^\\/]*@/, '');
}
