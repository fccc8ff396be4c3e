import type { Static } from 'typebox';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { type Route, route } from '../kernel/http/server.ts';
import { acceptedReply } from '../kernel/operations/routes.ts';
import { isoTime } from '../kernel/operations/view.ts';
import type { Store } from '../kernel/store/store.ts';
import { deviceContract, type deviceSchema } from './device-contract.ts';
import type { DeviceBook, SeenDevice } from './devices/book.ts';
import { type PlacedVolume, volumesOfVm } from './node-volumes.ts';
import { findVolumeDetail } from './queries.ts';
import type { VolumeService } from './service.ts';

export interface DeviceRouteOptions {
  readonly store: Store;
  readonly service: VolumeService;
  readonly book: DeviceBook;
  /** The name of this server as a host. */
  readonly localHost: string;
}

/** The API of devices: which one is which volume, and what differs. */
export function deviceRoutes({ store, service, book, localHost }: DeviceRouteOptions): Route[] {
  return [
    route(deviceContract.getVolumeDevice, async ({ params }) => {
      const found = await store.read((reader) => findVolumeDetail(reader, params.volume));
      if (found === null) throw new HoldfastError('not_found', `There is no volume ${params.volume.slice(0, 200)}.`);
      const { volume, attachments } = found;
      const attachment = attachments.at(-1);
      if (attachment === undefined) throw new HoldfastError('not_found', `Volume ${volume.name} is not attached.`);
      const seen = await book.deviceAt(attachment.nodeId, volume.id);
      if (seen !== null) return deviceView(seen);
      const message = `No agent sees volume ${volume.name} at ${attachment.nodeId} now.`;
      throw new HoldfastError('not_found', message, { node_id: attachment.nodeId });
    }),
    route(deviceContract.getDeviceVolume, async ({ params, query }) => {
      const { volume, seen } = await book.volumeAt(query.host ?? localHost, params.path);
      return { ...placedView(volume), device: deviceView(seen) };
    }),
    route(deviceContract.listVmVolumes, async ({ params }) => {
      const volumes = await store.read((reader) => volumesOfVm(reader, params.vm));
      const items = await Promise.all(
        volumes.map(async (volume) => {
          const seen = await book.deviceAt(params.vm, volume.volumeId);
          return { ...placedView(volume), device: seen === null ? null : deviceView(seen) };
        }),
      );
      return { items };
    }),
    route(deviceContract.forceSync, async ({ wish }) => acceptedReply(await service.forceSync(wish))),
  ];
}

function placedView({ volumeId, name, attachmentId, generation }: PlacedVolume) {
  return { volume_id: volumeId, name, attachment_id: attachmentId, generation };
}

export function deviceView({ host, device, persistentPath, observedAtMs }: SeenDevice): Static<typeof deviceSchema> {
  return {
    device_path: `/dev/${device.name}`,
    name: device.name,
    serial: device.serial,
    size_bytes: Number(device.sizeBytes),
    host,
    persistent_name: persistentPath,
    observed_at: isoTime(observedAtMs),
  };
}
