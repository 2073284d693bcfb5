// Options that several commands share. Their values are checked by the same rules as those of HTTP requests.

import { type Command, InvalidArgumentError, Option } from 'commander';

import { RequestError } from '../errors/request-error.js';
import { type Field, integer, number } from '../requests/fields.js';
import { limits } from '../requests/limits.js';
import type { PictureChoice } from '../terminal/pictures/picture-screen.js';
import { pictureProtocols } from '../terminal/pictures/picture-protocol.js';

/** Which model, and how it is loaded. */
export interface ModelOptions {
  readonly model?: string;
  readonly device: string;
  readonly dtype: 'auto' | 'f32' | 'bf16' | 'f16';
  readonly quantization: 'none' | 'int8';
  readonly kv: 'auto' | 'bf16' | 'f16' | 'f32' | 'fp8' | 'int8' | 'int4';
}

/** How tokens are drawn. */
export interface SamplingFlags {
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
}

/** How pictures are shown. */
export interface PictureFlags {
  readonly pictures: PictureChoice;
}

/** Turns the text of a flag into a number that `field` accepts, or says what is wrong with it. */
export function checked(field: Field<number>): (text: string) => number {
  return (text) => {
    try {
      return field(text.trim() === '' ? text : Number(text), 'value');
    } catch (error) {
      if (error instanceof RequestError) throw new InvalidArgumentError(error.message.replace(/^value /, 'It '));
      throw error;
    }
  };
}

function device(text: string): string {
  if (/^(auto|cpu|cuda(:\d{1,3})?)$/.test(text)) return text;
  throw new InvalidArgumentError('It is unknown: expected auto, cpu, cuda or cuda:N.');
}

export function addModelOptions(command: Command): Command {
  return command
    .addOption(new Option('--model <folder>', 'folder of a Janus-Pro checkpoint').env('LIMEN_MODEL'))
    .addOption(
      new Option('--device <name>', 'auto, cpu, cuda or cuda:N').default('auto').env('LIMEN_DEVICE').argParser(device),
    )
    .addOption(
      new Option('--dtype <type>', 'type of weights and activations')
        .choices(['auto', 'f32', 'bf16', 'f16'])
        .default('auto')
        .env('LIMEN_DTYPE'),
    )
    .addOption(
      new Option('--quantization <scheme>', 'storage of the large weights')
        .choices(['none', 'int8'])
        .default('none')
        .env('LIMEN_QUANTIZATION'),
    )
    .addOption(
      new Option('--kv <format>', 'storage of keys and values; auto: as the weights')
        .choices(['auto', 'bf16', 'f16', 'f32', 'fp8', 'int8', 'int4'])
        .default('auto')
        .env('LIMEN_KV'),
    );
}

export function addSamplingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--temperature <number>', 'how freely tokens are drawn; 0 takes the likeliest').argParser(
        checked(number({ min: 0, max: limits.temperature })),
      ),
    )
    .addOption(
      new Option('--top-p <share>', 'draw among the likeliest tokens that share this probability').argParser(
        checked(number({ above: 0, max: 1 })),
      ),
    )
    .addOption(
      new Option('--seed <integer>', 'equal seeds give equal results').argParser(
        checked(integer({ min: 0, max: limits.seed })),
      ),
    );
}

export function addPictureOptions(command: Command): Command {
  return command.addOption(
    new Option('--pictures <way>', 'how the terminal shows pictures')
      .choices(['auto', ...pictureProtocols])
      .default('auto')
      .env('LIMEN_PICTURES'),
  );
}
