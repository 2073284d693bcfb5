// Which of the many chances to show an unfinished picture are taken.

/**
 * Spreads `count` previews evenly over a drawing.
 *
 * @returns a function of the drawing's progress: the index of the preview that is due now, or undefined
 */
export function previewsDue(count: number): (done: number, total: number) => number | undefined {
  let shown = 0;
  return (done, total) => {
    if (shown >= count || done >= total) return undefined;
    if (done / total < (shown + 1) / (count + 1)) return undefined;
    // Where one report passes several marks, one preview stands for all of them.
    while (shown < count && done / total >= (shown + 1) / (count + 1)) shown++;
    return shown - 1;
  };
}
