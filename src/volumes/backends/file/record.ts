import { readFile } from 'node:fs/promises';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { writeTextDurably } from './durable.ts';
import { unlessAbsent } from './errno.ts';
import type { Layout, Place } from './layout.ts';

const recordSchema = Type.Object({
  format: Type.Literal(1),
  volumeId: Type.Union([Type.String(), Type.Null()]),
  name: Type.Union([Type.String(), Type.Null()]),
  fence: Type.Integer(),
  /** What a create is making, written before its first byte; `null` when the image is complete. */
  creating: Type.Union([Type.Object({ sizeBytes: Type.String() }), Type.Null()]),
  attachment: Type.Union([
    Type.Object({
      attachmentId: Type.String(),
      nodeId: Type.String(),
      generation: Type.Integer(),
      mode: Type.Union([Type.Literal('rw'), Type.Literal('ro')]),
    }),
    Type.Null(),
  ]),
});

/** What is kept beside an image. Its size is that of its file, and its snapshots are files too: not kept twice. */
export type ImageRecord = Static<typeof recordSchema>;

/** The record of an image that Holdfast has neither made nor changed. */
export const FOREIGN_RECORD: ImageRecord = {
  format: 1,
  volumeId: null,
  name: null,
  fence: 0,
  creating: null,
  attachment: null,
};

/** `null` when there is none. Throws `backend` for one that was damaged: guessing its owner could cost data. */
export async function readRecord(layout: Layout, place: Place, image: string): Promise<ImageRecord | null> {
  const file = layout.recordFile(place, image);
  const text = await unlessAbsent(readFile(file, 'utf8'), null);
  if (text === null) return null;
  const value = parse(text);
  if (Value.Check(recordSchema, value)) return value;
  throw new HoldfastError('backend', `The record ${file} is damaged; restore it, or remove it to import the image.`);
}

export async function writeRecord(layout: Layout, place: Place, image: string, record: ImageRecord): Promise<void> {
  await writeTextDurably(layout, image, layout.recordFile(place, image), `${JSON.stringify(record, null, 2)}\n`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
