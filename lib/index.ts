// SPDX-License-Identifier: Apache-2.0
// The public names of the package: five values, and the types that their signatures mention.
export type { DeviceReport } from './devices.js';
export { listDevices } from './devices.js';
export type { ErrorCode } from './errors.js';
export { InferenceError } from './errors.js';
export type { TensorInput } from './inputs.js';
export type { EngineLogLine } from './log.js';
export { onEngineLog } from './log.js';
export type { Model, ModelInfo } from './model.js';
export { loadModel } from './model.js';
export type { ImageSpec, LoadOptions } from './option_types.js';
export type {
  AnswerFormat,
  BodyFormat,
  BytesOptions,
  JsonAnswer,
  JsonForm,
  JsonOptions,
  JsonTiming,
  PredictOptions,
  V2Answer,
  V2Options,
} from './predict_types.js';
export type { Scaling } from './scaling.js';
export type { AnsweredTimes, Histogram, ModelStats, RunsOfRows } from './stats.js';
export type { ElementType, Signature, Tensor, TensorData, TensorSpec } from './tensor.js';
export { elementTypes } from './tensor.js';
