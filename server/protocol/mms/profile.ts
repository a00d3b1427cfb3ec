// SPDX-License-Identifier: Apache-2.0
// What Multi Model Server and TorchServe say differently about the same thing.
import type { Config } from '../../config.js';

/** What is said of a model that was registered or scaled. */
export interface Subject {
  readonly name: string;
  readonly version: string;
  readonly workers: number;
}

/** One of the servers whose clients are served. */
export interface Profile {
  /** Of its descriptors. */
  readonly title: string;
  /** Whether it is TorchServe's shapes that answers have. */
  readonly isTorchServe: boolean;
  /** Of `response_timeout` in a query. */
  readonly timeoutUnitMs: number;
  readonly runtimes: readonly string[];
  readonly noWorker: (model: string, version?: string) => string;
  readonly registered: (subject: Subject) => string;
  /** The version is the one that was asked for. */
  readonly scaled: (
    subject: Omit<Subject, 'version'> & { readonly version: string | undefined },
  ) => string;
  readonly exists: (model: string, version: string) => string;
  /** Failures of a registration that are known by their texts in MMS, and how they are told. */
  readonly words: readonly Words[];
}

interface Words {
  readonly pattern: RegExp;
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const mms: Profile = {
  title: 'Model Server APIs',
  isTorchServe: false,
  timeoutUnitMs: 60_000,
  runtimes: ['python', 'python2', 'python3'],
  noWorker: model =>
    `No worker is available to serve request for model: ${model}. Consider increasing job queue size.`,
  registered: ({ name, workers }) =>
    workers > 0 ? 'Workers scaled' : `Model ${JSON.stringify(name)} registered`,
  scaled: () => 'Workers scaled',
  exists: model => `Model ${model} is already registered.`,
  words: [],
};

const torchserve: Profile = {
  title: 'TorchServe APIs',
  isTorchServe: true,
  timeoutUnitMs: 1000,
  runtimes: ['python', 'python3', 'lsp'],
  noWorker: (model, version) => {
    const which = version === undefined ? '' : ` Version ${version}"`; // the stray quote is TorchServe's
    return `Model "${model}"${which} has no worker to serve inference request. Please use scale workers API to add workers.`;
  },
  registered: ({ name, version, workers }) => {
    const more = workers > 0 ? '' : '. Use scale workers API to add workers for the model.';
    return `Model "${name}" Version: ${version} registered with ${workers} initial workers${more}`;
  },
  scaled: ({ name, version, workers }) => {
    const which = version === undefined ? '' : `, version: ${version}`;
    return `Workers scaled to ${workers} for model: ${name}${which}`;
  },
  exists: (model, version) => `Model version ${version} is already registered for model ${model}`,
  words: [
    {
      pattern: /^Model not found in model store: (.*)$/s,
      status: 404,
      type: 'ModelNotFoundException',
      text: 'Model not found at: $1',
    },
    {
      pattern: /^(?:Failed to download model from|Invalid model url): (.*?)(?:, code: \d+)?$/s,
      status: 400,
      type: 'DownloadArchiveException',
      text: 'Failed to download archive from: $1',
    },
  ],
};

/** @source  MMS and TorchServe: clients compare with these texts. */
export function profileOf({ profile }: Config): Profile {
  return profile === 'torchserve' ? torchserve : mms;
}
