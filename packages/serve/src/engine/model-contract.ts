// What a model must offer to be served: continue a conversation, draw pictures. Types only.

import type { ChatMessage, DrawnImage, JanusModel, TextChunk } from '@limen/models-janus';

export type { ChatMessage, DrawnImage, TextChunk };

/** The part of a model that an engine uses. */
export type ServableModel = Disposable &
  Pick<JanusModel, 'name' | 'device' | 'dtype' | 'contextLength' | 'imageSize' | 'imageCodes' | 'chat' | 'draw'>;
