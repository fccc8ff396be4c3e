import type { ControllerRpcs } from '../rpcs.ts';
import { createSnapshot } from './create-snapshot.ts';
import { createVolume } from './create-volume.ts';
import { deleteSnapshot } from './delete-snapshot.ts';
import { deleteVolume } from './delete-volume.ts';
import { expandVolume } from './expand-volume.ts';
import { getCapacity } from './get-capacity.ts';
import { getVolume, listVolumes } from './list-volumes.ts';
import { listSnapshots } from './list-snapshots.ts';
import type { ControllerContext } from './context.ts';
import { modifyVolume } from './modify-volume.ts';
import { publishVolume, unpublishVolume } from './publish-volume.ts';
import { validateCapabilities } from './validate-capabilities.ts';

const capabilities = [
  'CREATE_DELETE_VOLUME',
  'PUBLISH_UNPUBLISH_VOLUME',
  'LIST_VOLUMES',
  'GET_CAPACITY',
  'CREATE_DELETE_SNAPSHOT',
  'LIST_SNAPSHOTS',
  'CLONE_VOLUME',
  'PUBLISH_READONLY',
  'EXPAND_VOLUME',
  'LIST_VOLUMES_PUBLISHED_NODES',
  'VOLUME_CONDITION',
  'GET_VOLUME',
  'SINGLE_NODE_MULTI_WRITER',
  'MODIFY_VOLUME',
].map((type) => ({ rpc: { type } }));

/** The controller service: volumes and snapshots, and which node has them. It keeps nothing of its own. */
export function controllerRpcs(context: ControllerContext): ControllerRpcs {
  return {
    CreateVolume: (request, call) => createVolume(context, request, call),
    DeleteVolume: (request, call) => deleteVolume(context, request, call),
    ControllerPublishVolume: (request, call) => publishVolume(context, request, call),
    ControllerUnpublishVolume: (request, call) => unpublishVolume(context, request, call),
    ValidateVolumeCapabilities: (request, call) => validateCapabilities(context, request, call),
    ListVolumes: (request, call) => listVolumes(context, request, call),
    GetCapacity: (request, call) => getCapacity(context, request, call),
    ControllerGetCapabilities: async () => ({ capabilities }),
    CreateSnapshot: (request, call) => createSnapshot(context, request, call),
    DeleteSnapshot: (request, call) => deleteSnapshot(context, request, call),
    ListSnapshots: (request, call) => listSnapshots(context, request, call),
    ControllerExpandVolume: (request, call) => expandVolume(context, request, call),
    ControllerModifyVolume: (request, call) => modifyVolume(context, request, call),
    ControllerGetVolume: (request, call) => getVolume(context, request, call),
  };
}
