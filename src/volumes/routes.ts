import { HoldfastError } from '../kernel/errors/errors.ts';
import type { EventFollower } from '../kernel/events/follower.ts';
import { parseSize } from '../kernel/config/size.ts';
import type { BodyOf, Endpoint } from '../kernel/http/contract.ts';
import { decodeCursor, page } from '../kernel/http/cursor.ts';
import { ReadCache } from '../kernel/http/read-cache.ts';
import { type Route, SerializedReply, route } from '../kernel/http/server.ts';
import { type SseStreams, lastEventId } from '../kernel/http/sse.ts';
import { acceptedReply } from '../kernel/operations/routes.ts';
import type { Store } from '../kernel/store/store.ts';
import type { BackendRegistry } from './backends/registry.ts';
import type { QosLimits } from './backends/backend.ts';
import type { DeviceBook } from './devices/book.ts';
import { volumeContract } from './contract.ts';
import { backendStatus } from './health.ts';
import { findVolume, findVolumeDetail, listAllSnapshots, listSnapshots, listTrash, listVolumes } from './queries.ts';
import { wantedTransport } from './export-routes.ts';
import type { WantedTransport } from './export-wishes.ts';
import type { AttachPlace, VolumeService } from './service.ts';
import { snapshotView, volumeView } from './view.ts';
import { requestedSize } from './volume.ts';
import { watchVolume } from './watch.ts';

export interface VolumeRouteOptions {
  readonly service: VolumeService;
  readonly store: Store;
  readonly book: DeviceBook;
  readonly backends: BackendRegistry;
  readonly follower: EventFollower;
  readonly streams: SseStreams;
  readonly healthTimeoutMs: number;
}

const defaultLimit = 100;

/** The API of volumes. */
export function volumeRoutes(options: VolumeRouteOptions): Route<Endpoint>[] {
  return [...readingRoutes(options), ...lifecycleRoutes(options), ...contentRoutes(options)];
}

function readingRoutes({ store, book, backends, follower, streams, healthTimeoutMs }: VolumeRouteOptions): Route[] {
  const cache = new ReadCache(store);
  return [
    route(volumeContract.listVolumes, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const { state, backend, name } = query;
      const filter = { state, backend, name, afterId: decodeCursor(query.cursor), limit: limit + 1 };
      const rows = await store.read((reader) => listVolumes(reader, filter));
      return page(
        rows,
        limit,
        ({ volume }) => volume.id,
        (one) => volumeView(one),
      );
    }),
    route(volumeContract.getVolume, async ({ params, reply }) => {
      const body = await cache.get(params.volume, async () => {
        const found = await store.read((reader) => findVolumeDetail(reader, params.volume));
        if (found === null) throw unknownVolume(params.volume);
        const at = found.attachments.at(-1);
        const seen = at === undefined ? null : await book.deviceAt(at.nodeId, found.volume.id);
        return String(reply.code(200).serialize(volumeView(found, seen)));
      });
      return new SerializedReply(body);
    }),
    route(volumeContract.listSnapshots, async ({ params }) => {
      const volume = await store.read((reader) => findVolume(reader, params.volume));
      if (volume === null) throw unknownVolume(params.volume);
      const snapshots = await store.read((reader) => listSnapshots(reader, volume.id));
      return { items: snapshots.map(snapshotView) };
    }),
    route(volumeContract.listAllSnapshots, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const { id, name, volume_id: volumeId } = query;
      const filter = { id, name, volumeId, afterId: decodeCursor(query.cursor), limit: limit + 1 };
      const rows = await store.read((reader) => listAllSnapshots(reader, filter));
      return page(rows, limit, (snapshot) => snapshot.id, snapshotView);
    }),
    route(volumeContract.listTrash, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const rows = await store.read((reader) =>
        listTrash(reader, { afterId: decodeCursor(query.cursor), limit: limit + 1 }),
      );
      return page(
        rows,
        limit,
        ({ volume }) => volume.id,
        (one) => volumeView(one),
      );
    }),
    route(volumeContract.watchVolume, async ({ params, query, raw, reply }) => {
      const sinceSeq = lastEventId(raw.headers['last-event-id'], query.last_event_id);
      const watch = { volume: params.volume, isFollowing: query.follow === true, sinceSeq };
      await watchVolume(store, follower, watch, (onClose) => streams.open(reply, onClose));
      return undefined as never;
    }),
    route(volumeContract.listBackends, async () => ({
      items: await Promise.all(backends.names.map((name) => backendStatus(backends, name, healthTimeoutMs))),
    })),
  ];
}

function lifecycleRoutes({ service }: VolumeRouteOptions): Route[] {
  return [
    route(volumeContract.createVolume, async ({ body, wish }) => {
      const isSized = body.size !== undefined || body.size_bytes !== undefined || body.size_mb !== undefined;
      return acceptedReply(
        await service.create(wish, {
          name: body.name,
          // A clone without a size has its snapshot's.
          sizeBytes: body.snapshot_id !== undefined && !isSized ? null : requestedSize(body, parseSize),
          backend: body.backend ?? null,
          metadata: body.metadata ?? {},
          qos: (body.qos ?? {}) as QosLimits,
          snapshotId: body.snapshot_id ?? null,
          parameters: parametersOf(body),
        }),
      );
    }),
    route(volumeContract.attachVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.attach(wish, params.volume, placeOf(body), transportOf(body))),
    ),
    route(volumeContract.attachRootVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.attachRoot(wish, params.volume, body.vm_id)),
    ),
    route(volumeContract.detachVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.detach(wish, params.volume, body.attachment_id ?? null, body.force ?? false)),
    ),
    route(volumeContract.deleteVolume, async ({ params, query, wish }) =>
      acceptedReply(await service.delete(wish, params.volume, query.purge ?? false)),
    ),
    route(volumeContract.reconcileVolume, async ({ params, wish }) =>
      acceptedReply(await service.reconcile(wish, params.volume)),
    ),
    route(volumeContract.importVolume, async ({ body, wish }) => {
      const { image, name = null, backend = null, metadata = {} } = body;
      return acceptedReply(await service.import(wish, { image, name, backend, metadata }));
    }),
    route(volumeContract.restoreVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.restore(wish, params.volume, body.name ?? null)),
    ),
    route(volumeContract.purgeVolume, async ({ params, wish }) =>
      acceptedReply(await service.purge(wish, params.volume)),
    ),
  ];
}

function contentRoutes({ service }: VolumeRouteOptions): Route[] {
  return [
    route(volumeContract.resizeVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.resize(wish, params.volume, requestedSize(body, parseSize))),
    ),
    route(volumeContract.setVolumeQos, async ({ params, body, wish }) =>
      acceptedReply(await service.setQos(wish, params.volume, body as QosLimits)),
    ),
    route(volumeContract.createSnapshot, async ({ params, body, wish }) =>
      acceptedReply(await service.snapshot(wish, params.volume, body.name, body.name_scope)),
    ),
    route(volumeContract.deleteSnapshot, async ({ params, wish }) =>
      acceptedReply(await service.deleteSnapshot(wish, params.volume, params.snapshot)),
    ),
    route(volumeContract.revertVolume, async ({ params, body, wish }) =>
      acceptedReply(await service.revert(wish, params.volume, body.snapshot_id)),
    ),
  ];
}

/** A volume is at a node or with a virtual machine; a request names one of them. Throws `invalid`. */
function placeOf(body: BodyOf<typeof volumeContract.attachVolume>): AttachPlace {
  const { node_id: nodeId = null, vm_id: vmId = null, mode = 'rw' } = body;
  if ((nodeId === null) !== (vmId === null)) return { nodeId, vmId, mode };
  const message = 'Name where to attach it: node_id, or vm_id for a virtual machine, and not both.';
  throw new HoldfastError('invalid', message, { field: 'node_id' });
}

function transportOf(body: BodyOf<typeof volumeContract.attachVolume>): WantedTransport | null {
  if (body.transport !== undefined) return wantedTransport(body.transport, body);
  const field = (['tls', 'chap', 'allowed_hosts', 'export_host'] as const).find((name) => body[name] !== undefined);
  if (field === undefined) return null;
  throw new HoldfastError('invalid', `${field} is for exports: name a transport too.`, { field });
}

function unknownVolume(reference: string): HoldfastError {
  return new HoldfastError('not_found', `There is no volume ${reference.slice(0, 200)}.`);
}

/** The fields of a create that only some backends know; each backend checks its own. */
function parametersOf({ disk_offering_id, zone_id }: { disk_offering_id?: string; zone_id?: string }) {
  return {
    ...(disk_offering_id === undefined ? {} : { disk_offering_id }),
    ...(zone_id === undefined ? {} : { zone_id }),
  };
}
