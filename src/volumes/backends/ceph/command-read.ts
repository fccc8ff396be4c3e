import type { BackendHealth, ImageFacts } from '../backend.ts';
import { type Command, notFound } from './command.ts';
import { ENOENT, checkExcept } from './errno.ts';
import { CephImage, type Snapshot } from './image.ts';
import { byteOrder, findInTrash, liveNames, readFacts, readLiveFacts } from './pool.ts';
import type { CephSession, ImageRef } from './session.ts';
import type { ClusterStat } from './signatures.ts';
import { surveyImages } from './survey.ts';

const LIST_PARALLEL = 4;
const KIB = 1024n;
const GIB = 1024n ** 3n;

/** Asks an OSD, by reading the pool's directory of images, and then the monitors for the space. */
export const health: Command<'health'> = async (session) => {
  const { rados } = session.lib;
  const code = await rados.rados_stat(session.io, 'rbd_directory', [null], [null]);
  checkExcept(code, [ENOENT], `reading pool ${session.pool}`);
  const stat: Partial<ClusterStat> = {};
  const statCode = await rados.rados_cluster_stat(session.cluster, stat);
  const totalBytes = BigInt(stat.kb ?? 0) * KIB;
  // A cluster without a manager daemon answers with zeros, which means unknown.
  if (statCode < 0 || totalBytes === 0n) return { detail: `Ceph pool ${session.pool} answers.` };
  const freeBytes = BigInt(stat.kb_avail ?? 0) * KIB;
  const detail = `Ceph pool ${session.pool} answers; ${freeBytes / GIB} GiB of ${totalBytes / GIB} GiB are free.`;
  return { detail, freeBytes, totalBytes } satisfies BackendHealth;
};

export const inspect: Command<'inspect'> = (session, { image }) => readFacts(session, image);

export const survey: Command<'survey'> = (session, { images }, signal) => surveyImages(session, images, signal);

export const list: Command<'list'> = async (session, { after, limit }, signal) => {
  const names = await liveNames(session);
  const wanted = after === undefined ? names : names.filter((name) => byteOrder(name, after) > 0);
  const found: ImageFacts[] = [];
  // Images that vanish while the list is read are left out, so more names than `limit` may be needed.
  for (let start = 0; start < wanted.length && found.length < limit; start += LIST_PARALLEL) {
    signal.throwIfAborted();
    const group = wanted.slice(start, start + LIST_PARALLEL);
    const facts = await Promise.all(group.map((name) => readLiveFacts(session, name)));
    for (const each of facts) if (each !== null) found.push(each);
  }
  return found.slice(0, limit);
};

export const listSnapshots: Command<'listSnapshots'> = async (session, { image: name }) => {
  const snapshots = await readSnapshots(session, { name });
  if (snapshots !== null) return snapshots;
  const entry = await findInTrash(session, name);
  const trashed = entry === null ? null : await readSnapshots(session, { id: entry.id });
  if (trashed === null) throw notFound(session, name);
  return trashed;
};

async function readSnapshots(session: CephSession, ref: ImageRef) {
  const snapshots = await CephImage.with(session, ref, 'ro', (image) => image.snapshots());
  return snapshots === null ? null : snapshots.filter((each) => each.ofUser).map(snapshotFacts);
}

function snapshotFacts(snapshot: Snapshot) {
  return { snapshot: snapshot.name, sizeBytes: snapshot.sizeBytes };
}
