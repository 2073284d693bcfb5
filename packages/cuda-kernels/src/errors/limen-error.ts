// Base class of every error that Limen throws.

const marker = Symbol.for('limen.error');

/** An error with a stable `code` and the facts behind its text as `details`. */
export class LimenError extends Error {
  /** Stable identifier in capitals, e.g. `SHAPE_MISMATCH`; safe to switch on. */
  readonly code: string;
  /** The facts of the message as data. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
    Object.defineProperty(this, marker, { value: true });
  }

  /** A message with a next step behind it, for families of errors whose next step follows from their code. */
  protected static advise(message: string, advice: string | undefined): string {
    if (advice === undefined || message.endsWith(advice)) return message;
    return `${message}${/[.?!]$/.test(message) ? '' : '.'} ${advice}`;
  }

  /** True for any Limen error, also one thrown by another installed copy of the package. */
  static isInstance(value: unknown): value is LimenError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[marker] === true;
  }
}
