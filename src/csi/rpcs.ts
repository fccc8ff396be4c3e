import type { Call } from './call.ts';
import type * as M from './messages.ts';

/** One remote procedure: a message in, a message out. */
export type Rpc<Request, Response> = (request: Request, call: Call) => Promise<Response>;

export interface IdentityRpcs {
  readonly GetPluginInfo: Rpc<object, { readonly name: string; readonly vendor_version: string }>;
  readonly GetPluginCapabilities: Rpc<object, M.CapabilityList>;
  readonly Probe: Rpc<object, { readonly ready: { readonly value: boolean } }>;
}

export interface ControllerRpcs {
  readonly CreateVolume: Rpc<M.CreateVolumeRequest, { readonly volume: M.Volume }>;
  readonly DeleteVolume: Rpc<M.VolumeRequest, object>;
  readonly ControllerPublishVolume: Rpc<M.PublishRequest, { readonly publish_context: M.Labels }>;
  readonly ControllerUnpublishVolume: Rpc<M.UnpublishRequest, object>;
  readonly ValidateVolumeCapabilities: Rpc<M.ValidateRequest, M.ValidateResponse>;
  readonly ListVolumes: Rpc<M.ListRequest, M.Listed<{ readonly volume: M.Volume; readonly status: M.VolumeStatus }>>;
  readonly GetCapacity: Rpc<M.GetCapacityRequest, { readonly available_capacity: string }>;
  readonly ControllerGetCapabilities: Rpc<object, M.CapabilityList>;
  readonly CreateSnapshot: Rpc<M.CreateSnapshotRequest, { readonly snapshot: M.Snapshot }>;
  readonly DeleteSnapshot: Rpc<{ readonly snapshot_id: string }, object>;
  readonly ListSnapshots: Rpc<M.ListSnapshotsRequest, M.Listed<{ readonly snapshot: M.Snapshot }>>;
  readonly ControllerExpandVolume: Rpc<
    M.ExpandRequest,
    { readonly capacity_bytes: string; readonly node_expansion_required: boolean }
  >;
  readonly ControllerModifyVolume: Rpc<M.ModifyRequest, object>;
  readonly ControllerGetVolume: Rpc<M.VolumeRequest, { readonly volume: M.Volume; readonly status: M.VolumeStatus }>;
}

export interface NodeRpcs {
  readonly NodeStageVolume: Rpc<M.StageRequest, object>;
  readonly NodeUnstageVolume: Rpc<M.UnstageRequest, object>;
  readonly NodePublishVolume: Rpc<M.NodePublishRequest, object>;
  readonly NodeUnpublishVolume: Rpc<M.NodeUnpublishRequest, object>;
  readonly NodeGetVolumeStats: Rpc<
    M.StatsRequest,
    { readonly usage: readonly M.VolumeUsage[]; readonly volume_condition: M.VolumeCondition }
  >;
  readonly NodeExpandVolume: Rpc<M.NodeExpandRequest, { readonly capacity_bytes: string }>;
  readonly NodeGetCapabilities: Rpc<object, M.CapabilityList>;
  readonly NodeGetInfo: Rpc<object, { readonly node_id: string; readonly max_volumes_per_node: string }>;
}

/** What one process serves: the identity always, the others by its place. */
export interface Services {
  readonly Identity: IdentityRpcs;
  readonly Controller?: ControllerRpcs;
  readonly Node?: NodeRpcs;
}
