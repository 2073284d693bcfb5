// What quantisation costs: distances between tensors and their approximations, as numbers, a table and JSON.

import { ShapeMismatchError } from '@limen/tensor';

/** Distances between a tensor and its approximation. All are in the tensor's own unit unless stated. */
export interface ErrorMeasures {
  readonly elements: number;
  readonly maxAbsolute: number;
  readonly meanAbsolute: number;
  /** Root mean square of the error over that of the reference; dimensionless. */
  readonly rootMeanSquareRelative: number;
  /** Cosine of the angle between the two as vectors; 1 when they point the same way. */
  readonly cosine: number;
  /** Signal to noise, in decibels: −20·log₁₀ of `rootMeanSquareRelative`. Infinite without error. */
  readonly signalToNoiseDecibels: number;
}

/** Measures of one tensor of a report. */
export interface ErrorReportEntry extends ErrorMeasures {
  readonly name: string;
  readonly scheme: string;
}

/** An entry as JSON knows it: numbers that JSON cannot write (infinite, NaN) are null. */
export type ErrorReportEntryJson = {
  readonly [Key in keyof ErrorReportEntry]: ErrorReportEntry[Key] extends number ? number | null : string;
};

/** A report as JSON. */
export interface ErrorReportJson {
  readonly tensors: readonly ErrorReportEntryJson[];
}

/**
 * Measures how far `approximation` is from `reference`, in f64.
 *
 * Against an all-zero reference the relative error is 0 when the approximation is zero too, otherwise infinite.
 *
 * @throws {ShapeMismatchError} the arrays differ in length
 */
export function measureError(reference: ArrayLike<number>, approximation: ArrayLike<number>): ErrorMeasures {
  if (reference.length !== approximation.length) {
    throw new ShapeMismatchError(
      `measureError: approximation has the wrong length: expected ${reference.length} elements, got ${approximation.length}. ` +
        'Compare tensors of one shape.',
      { expected: reference.length, got: approximation.length },
    );
  }
  let [maxAbsolute, sumAbsolute, sumError, sumReference, sumApproximation, sumProduct] = [0, 0, 0, 0, 0, 0];
  for (let index = 0; index < reference.length; index += 1) {
    const [wanted, got] = [reference[index] ?? 0, approximation[index] ?? 0];
    const error = Math.abs(wanted - got);
    // Not Math.max alone: a NaN must stay visible in the report.
    maxAbsolute = error > maxAbsolute || Number.isNaN(error) ? error : maxAbsolute;
    sumAbsolute += error;
    sumError += error * error;
    sumReference += wanted * wanted;
    sumApproximation += got * got;
    sumProduct += wanted * got;
  }
  const relative = sumError === 0 ? 0 : Math.sqrt(sumError / sumReference);
  return {
    elements: reference.length,
    maxAbsolute,
    meanAbsolute: reference.length === 0 ? 0 : sumAbsolute / reference.length,
    rootMeanSquareRelative: relative,
    cosine: cosineOf(sumProduct, sumReference, sumApproximation),
    signalToNoiseDecibels: relative === 0 ? Infinity : -20 * Math.log10(relative),
  };
}

/** Measures of many tensors, collected in the order they were added. */
export class ErrorReport {
  readonly #entries: ErrorReportEntry[] = [];

  get entries(): readonly ErrorReportEntry[] {
    return this.#entries;
  }

  /** The entry with the largest relative error; undefined while the report is empty. */
  get worst(): ErrorReportEntry | undefined {
    return this.#entries.toSorted((a, b) => b.rootMeanSquareRelative - a.rootMeanSquareRelative)[0];
  }

  add(name: string, scheme: string, measures: ErrorMeasures): void {
    this.#entries.push({ name, scheme, ...measures });
  }

  /** One line for each tensor, columns aligned, the worst repeated at the end. */
  toTable(): string {
    const header = ['tensor', 'scheme', 'max abs', 'mean abs', 'rms rel', 'cosine', 'SNR dB'];
    const rows = [header, ...this.#entries.map(cellsOf)];
    const widths = header.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
    const lines = rows.map((cells) =>
      cells
        .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    );
    const { worst } = this;
    if (worst !== undefined)
      lines.push(`worst: ${worst.name}, rms rel ${worst.rootMeanSquareRelative.toExponential(2)}`);
    return lines.join('\n');
  }

  toJSON(): ErrorReportJson {
    const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
    return {
      tensors: this.#entries.map(({ name, scheme, ...measures }) => ({
        name,
        scheme,
        elements: measures.elements,
        maxAbsolute: finite(measures.maxAbsolute),
        meanAbsolute: finite(measures.meanAbsolute),
        rootMeanSquareRelative: finite(measures.rootMeanSquareRelative),
        cosine: finite(measures.cosine),
        signalToNoiseDecibels: finite(measures.signalToNoiseDecibels),
      })),
    };
  }
}

function cosineOf(product: number, first: number, second: number): number {
  if (first === 0 && second === 0) return 1;
  if (first === 0 || second === 0) return 0;
  return product / Math.sqrt(first * second);
}

function cellsOf(entry: ErrorReportEntry): string[] {
  return [
    entry.name,
    entry.scheme,
    entry.maxAbsolute.toExponential(2),
    entry.meanAbsolute.toExponential(2),
    entry.rootMeanSquareRelative.toExponential(2),
    entry.cosine.toFixed(6),
    Number.isFinite(entry.signalToNoiseDecibels)
      ? entry.signalToNoiseDecibels.toFixed(1)
      : String(entry.signalToNoiseDecibels),
  ];
}
