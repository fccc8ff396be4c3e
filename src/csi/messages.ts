/**
 * The messages of `csi.proto` as proto-loader gives and takes them: field names as they are, 64-bit integers as decimal
 * text, enumerations by name, absent messages `null`.
 */
export type Labels = Readonly<Record<string, string>>;

export interface CapacityRange {
  readonly required_bytes: string;
  readonly limit_bytes: string;
}

export interface VolumeCapability {
  readonly block?: object | null;
  readonly mount?: { readonly fs_type: string; readonly mount_flags: readonly string[] } | null;
  readonly access_mode: { readonly mode: string } | null;
}

export interface ContentSource {
  readonly snapshot?: { readonly snapshot_id: string } | null;
  readonly volume?: { readonly volume_id: string } | null;
}

export interface Volume {
  readonly volume_id: string;
  readonly capacity_bytes: string;
  readonly volume_context: Labels;
  readonly content_source?: ContentSource;
}

export interface VolumeCondition {
  readonly abnormal: boolean;
  readonly message: string;
}

export interface VolumeStatus {
  readonly published_node_ids: readonly string[];
  readonly volume_condition: VolumeCondition;
}

export interface Snapshot {
  readonly snapshot_id: string;
  readonly source_volume_id: string;
  readonly size_bytes: string;
  readonly creation_time: { readonly seconds: string; readonly nanos: number };
  readonly ready_to_use: boolean;
}

export interface CreateVolumeRequest {
  readonly name: string;
  readonly capacity_range: CapacityRange | null;
  readonly volume_capabilities: readonly VolumeCapability[];
  readonly parameters: Labels;
  readonly mutable_parameters: Labels;
  readonly volume_content_source: ContentSource | null;
}

export interface VolumeRequest {
  readonly volume_id: string;
}

export interface PublishRequest extends VolumeRequest {
  readonly node_id: string;
  readonly volume_capability: VolumeCapability | null;
  readonly readonly: boolean;
}

export interface UnpublishRequest extends VolumeRequest {
  readonly node_id: string;
}

export interface ValidateRequest extends VolumeRequest {
  readonly volume_context: Labels;
  readonly volume_capabilities: readonly VolumeCapability[];
  readonly parameters: Labels;
  readonly mutable_parameters: Labels;
}

export interface ValidateResponse {
  readonly confirmed?: {
    readonly volume_context: Labels;
    readonly volume_capabilities: readonly VolumeCapability[];
    readonly parameters: Labels;
    readonly mutable_parameters: Labels;
  };
  readonly message?: string;
}

export interface ListRequest {
  readonly max_entries: number;
  readonly starting_token: string;
}

export interface ListSnapshotsRequest extends ListRequest {
  readonly source_volume_id: string;
  readonly snapshot_id: string;
}

export interface Listed<T> {
  readonly entries: readonly T[];
  readonly next_token: string;
}

export interface GetCapacityRequest {
  readonly volume_capabilities: readonly VolumeCapability[];
  readonly parameters: Labels;
}

export interface CreateSnapshotRequest {
  readonly source_volume_id: string;
  readonly name: string;
  readonly parameters: Labels;
}

export interface ExpandRequest extends VolumeRequest {
  readonly capacity_range: CapacityRange | null;
  readonly volume_capability: VolumeCapability | null;
}

export interface ModifyRequest extends VolumeRequest {
  readonly mutable_parameters: Labels;
}

export interface StageRequest extends VolumeRequest {
  readonly publish_context: Labels;
  readonly staging_target_path: string;
  readonly volume_capability: VolumeCapability | null;
}

export interface UnstageRequest extends VolumeRequest {
  readonly staging_target_path: string;
}

export interface NodePublishRequest extends StageRequest {
  readonly target_path: string;
  readonly readonly: boolean;
}

export interface NodeUnpublishRequest extends VolumeRequest {
  readonly target_path: string;
}

export interface StatsRequest extends VolumeRequest {
  readonly volume_path: string;
}

export interface VolumeUsage {
  readonly unit: 'BYTES' | 'INODES';
  readonly total: string;
  readonly used: string;
  readonly available: string;
}

export interface NodeExpandRequest extends VolumeRequest {
  readonly volume_path: string;
  readonly capacity_range: CapacityRange | null;
}

/** Of the plugin, the controller or a node. */
export interface CapabilityList {
  readonly capabilities: readonly object[];
}
