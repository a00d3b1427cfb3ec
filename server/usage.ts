// SPDX-License-Identifier: Apache-2.0
// The help text, made from the table of settings.
import { flagOf, settingTable } from './config.js';

const flagWidth = 26;

/** Everything the command line takes. */
export function usage(): string {
  const flags = settingTable.map(({ key, description, default: value }) => {
    const usual = Array.isArray(value) || value === '' ? '' : ` (${value})`;
    return `  ${flagOf(key).padEnd(flagWidth)}${description}${usual}`;
  });
  return [
    'inference-native serve [MODEL...] [flags]   serve models over HTTP; MODEL is a path or name=path',
    'inference-native devices [--json]           what can run here, and why the rest cannot',
    'inference-native archive --model-name NAME --model-path DIRECTORY [--model-version VERSION]',
    '    [--handler TEXT] [--export-path DIRECTORY] [--force]   make NAME.mar from a model directory',
    'inference-native config --explain [flags]   each setting of serve, and where it is from',
    '',
    'Flags of serve, each with its default:',
    ...flags,
    `  ${'--config'.padEnd(flagWidth)}JSON file with any of these, under their names in camelCase; or a config.properties`,
    '',
  ].join('\n');
}
