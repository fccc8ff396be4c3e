import { mapAtOnce } from '../../../kernel/concurrency/at-once.ts';
import type { ImageFacts, SurveyedImage } from '../backend.ts';
import { idOfName, readHeader } from './header.ts';
import { CephImage } from './image.ts';
import { factsFrom, readFacts } from './pool.ts';
import type { CephSession } from './session.ts';
import { TAGS_KEY, tagsFrom } from './tags.ts';

/** Below the 16 threads of libuv's pool, so that other commands go on beside it. */
const AT_ONCE = 8;

/**
 * Reads many images without their watchers. A live one is not opened, which would take more than ten round trips: its name
 * leads to its header, and the header has the rest. Whatever is not plainly live that way is read as `inspect` reads it.
 */
export async function surveyImages(
  session: CephSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly (SurveyedImage | null)[]> {
  const parents = new Map<string, Promise<boolean>>();
  return await mapAtOnce(names, AT_ONCE, async (name) => {
    signal.throwIfAborted();
    return withoutWatchers((await readUnopened(session, name, parents)) ?? (await readFacts(session, name)));
  });
}

/** @param parents whether clones of a parent can be opened, as the first clone of it in this survey has shown */
async function readUnopened(
  session: CephSession,
  name: string,
  parents: Map<string, Promise<boolean>>,
): Promise<ImageFacts | null> {
  const imageId = await idOfName(session, name);
  const header = imageId === null ? null : await readHeader(session, imageId, TAGS_KEY);
  if (imageId === null || header === null) return null;
  const { sizeBytes, metadata, parent } = header;
  if (parent !== null) {
    const canBeOpened = parents.get(parent) ?? isOpened(session, name);
    parents.set(parent, canBeOpened);
    // A clone that has lost its parent is no image, though its header stands.
    if (!(await canBeOpened)) return null;
  }
  return factsFrom(session, name, { tags: tagsFrom(metadata, imageId), sizeBytes, place: 'live', watchers: [] });
}

async function isOpened(session: CephSession, name: string): Promise<boolean> {
  return (await CephImage.with(session, { name }, 'ro', () => Promise.resolve(true))) !== null;
}

function withoutWatchers(facts: ImageFacts | null): SurveyedImage | null {
  if (facts === null) return null;
  const { watchers: _watchers, ...surveyed } = facts;
  return surveyed;
}
