// How decode steps are run: as they are, or captured by a runtime that the caller brings.

/** Runs one step again and again. */
export interface StepRunner extends Disposable {
  run(): void;
}

/** Makes a runner for a step that touches only device state. @limen/graph-runtime's `stepRunner` is one. */
export type StepRunnerFactory = (device: string, step: () => void) => StepRunner;

/** Calls the step each time. */
export const runEagerly: StepRunnerFactory = (_device, step) => ({ run: step, [Symbol.dispose]: () => undefined });
