import { LimenError } from '@limen/tensor';

/** What can be wrong with a configuration file; one code per kind. */
export type ConfigErrorCode =
  | 'CONFIG_FILE_MISSING'
  | 'CONFIG_FILE_INVALID'
  | 'CONFIG_FIELD_MISSING'
  | 'CONFIG_FIELD_INVALID'
  | 'CONFIG_CONTRADICTION'
  | 'CONFIG_NOT_SUPPORTED';

/** A configuration that cannot be used; `details.field` names the value at fault. */
export class ConfigError extends LimenError {
  declare readonly code: ConfigErrorCode;

  constructor(
    code: ConfigErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, message, details, options);
  }
}
