// SPDX-License-Identifier: Apache-2.0
// MANIFEST.json of Multi Model Server 1.0, of its 0.x versions and of TorchServe -> what they say about the model.
import { invalid } from './archive.js';
import { type JsonObject, objectOf, type PackageFiles, readObject, textOf } from './files.js';

/** What a manifest tells; '' where it says nothing. */
export interface PackageManifest {
  readonly name: string;
  readonly version: string;
  /** The model file, relative to the package. */
  readonly file: string;
  /** The Python handler, or the name of one that comes with TorchServe. */
  readonly handler: string;
}

const none: PackageManifest = { name: '', version: '', file: '', handler: '' };
const folder = 'MAR-INF';

/** @throws  INFER_MODEL_INVALID naming the key. */
export async function readManifest(files: PackageFiles): Promise<PackageManifest> {
  if (files.names.includes(folder)) {
    const name = `${folder}/MANIFEST.json`;
    return fromCurrent(await readObject(files, name), `${files.label}: ${name}`);
  }
  const name = files.names.find(entry => entry.toLowerCase() === 'manifest.json');
  if (name === undefined) return none;
  return fromLegacy(await readObject(files, name), `${files.label}: ${name}`);
}

/** @source MMS model archive 1.0, TorchServe model archive: the same file, with more keys in the latter. */
function fromCurrent(manifest: JsonObject, where: string): PackageManifest {
  if (manifest['model'] === undefined) throw invalid(where, 'expected the key "model", got none');
  const model = objectOf(manifest['model'], `${where}: model`);
  const text = (key: string) => textOf(model, key, `${where}: model`) ?? '';
  return checked(where, {
    name: text('modelName'),
    version: text('modelVersion'),
    file: text('serializedFile'),
    handler: text('handler'),
  });
}

/** What MMS calls the version of a 0.x archive. */
const legacyVersion = 'snapshot';

/** @source MMS 0.x: keys with hyphens, numbers of format versions instead of a version of the model. */
function fromLegacy(manifest: JsonObject, where: string): PackageManifest {
  if (manifest['Model'] === undefined) throw invalid(where, 'expected the key "Model", got none');
  const model = objectOf(manifest['Model'], `${where}: Model`);
  const text = (key: string) => textOf(model, key, `${where}: Model`) ?? '';
  const handler = text('Service');
  return checked(where, { name: text('Model-Name'), version: legacyVersion, file: '', handler });
}

const longest = { name: 128, version: 64 } as const;

/** Names and versions become parts of URLs and metrics. */
function checked(where: string, manifest: PackageManifest): PackageManifest {
  for (const key of ['name', 'version'] as const) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (manifest[key].length > longest[key] || /[\x00-\x1f\x7f/\\]/.test(manifest[key])) {
      const expected = `expected at most ${longest[key]} characters without slashes and control characters`;
      throw invalid(`${where}: ${key} of the model`, expected);
    }
  }
  return manifest;
}
