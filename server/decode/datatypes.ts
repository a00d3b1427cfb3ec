// SPDX-License-Identifier: Apache-2.0
// What the Open Inference Protocol calls the element types.
import type { ElementType } from '../../lib/index.js';

/**
 * On the wire; TYPE_ and the name stand in configurations, but for strings.
 * @source Open Inference Protocol, table of tensor data types.
 */
export const datatypes: Readonly<Record<ElementType, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
};
