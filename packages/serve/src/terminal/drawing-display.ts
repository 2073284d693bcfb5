// What is seen while a picture is drawn: a bar, and above it the picture as far as it is known, where the terminal can.

import type { RgbPixels } from './pictures/scale-picture.js';
import { LivePicture } from './pictures/live-picture.js';
import type { PictureScreen } from './pictures/picture-screen.js';
import { ProgressBar } from './progress-bar.js';

/** Options of a drawing that make it visible. */
export interface DrawingReports {
  readonly onProgress: (done: number, total: number) => void;
  /** Left out where no preview can be seen, so that none is decoded. */
  readonly onPreview?: (images: readonly RgbPixels[]) => Promise<void>;
}

/** The display of one drawing; end it by `finish` or `clear`. */
export class DrawingDisplay {
  readonly reports: DrawingReports;
  readonly #bar: ProgressBar;
  readonly #picture: LivePicture;

  constructor(screen: PictureScreen) {
    this.#bar = new ProgressBar('Drawing', { stream: screen.stream });
    this.#picture = new LivePicture(screen);
    const onProgress = (done: number, total: number) => this.#bar.update(done, total);
    const onPreview = (images: readonly RgbPixels[]) => this.#picture.update(images);
    this.reports = this.#picture.isPossible ? { onProgress, onPreview } : { onProgress };
  }

  /** Leaves a line with the time taken. */
  finish(): void {
    this.#picture.clear();
    this.#bar.finish();
  }

  /** Leaves nothing, for when something failed and its error comes next. */
  clear(): void {
    this.#picture.clear();
    this.#bar.clear();
  }
}
