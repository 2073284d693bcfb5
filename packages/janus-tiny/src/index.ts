// Public exports of @limen/janus-tiny.

export { WorldError, type WorldErrorCode } from './errors/world-error.js';
export { janusTinyFolder } from './model-folder.js';
export { describeReading, type NamedShape, nameShapes } from './reader/describe-reading.js';
export { judgeDrawing, type Judgement } from './reader/judge-drawing.js';
export { type Reading, type ReadObject, readPicture } from './reader/read-picture.js';
export type { DrawRequest, RequestedObject } from './world/draw-request.js';
export { type Case, describeQuestions, makeCase } from './world/make-case.js';
export { type Question, type QuestionKind, questionKinds } from './world/question.js';
export { heldOutPairs, type Scene, type SceneObject } from './world/scene.js';
export { type SeedRange, seedRanges, type Split } from './world/seeds.js';
export {
  type Background,
  backgrounds,
  type Colour,
  colours,
  type Kind,
  kinds,
  type Place,
  places,
  type Size,
  sizes,
} from './world/vocabulary.js';
export {
  type AnswerRecord,
  type DrawingRecord,
  isRightAnswer,
  type QualityReport,
  qualityReport,
  type QualityRun,
  qualityTable,
} from './quality/quality-report.js';
export { bleu, rougeL, type TextPair } from './quality/text-scores.js';
