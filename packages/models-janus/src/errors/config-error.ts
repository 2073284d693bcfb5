import { LimenError } from '@limen/tensor';

/** What can be wrong with a configuration file; one code per kind. */
export type ConfigErrorCode =
  | 'CONFIG_FILE_MISSING'
  | 'CONFIG_FILE_INVALID'
  | 'CONFIG_FIELD_MISSING'
  | 'CONFIG_FIELD_INVALID'
  | 'CONFIG_CONTRADICTION'
  | 'CONFIG_NOT_SUPPORTED';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<ConfigErrorCode, string>>> = {
  CONFIG_FILE_MISSING: 'Pass the folder of a complete model.',
  CONFIG_FILE_INVALID: 'Download the file again.',
  CONFIG_FIELD_MISSING: 'Take the file that was published with the weights.',
  CONFIG_FIELD_INVALID: 'Take the file that was published with the weights.',
  CONFIG_CONTRADICTION: 'Take the files that were published together.',
  CONFIG_NOT_SUPPORTED: 'Only Janus-Pro as published is supported.',
};

/** A configuration that cannot be used; `details.field` names the value at fault. */
export class ConfigError extends LimenError {
  declare readonly code: ConfigErrorCode;

  constructor(
    code: ConfigErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
