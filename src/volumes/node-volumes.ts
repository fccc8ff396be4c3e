import type { Reader } from '../kernel/store/store.ts';
import type { KnownVolume } from './devices/correlate.ts';
import type { AttachmentState } from './volume.ts';

/**
 * A volume that is, or was just now, at a node: what its agent needs to know of it. The section `volumes` of what is wanted
 * there.
 */
export interface NodeVolume extends KnownVolume {
  readonly generation: number;
  /** Whether it should have a persistent name there. One that is on its way out should not. */
  readonly isWanted: boolean;
}

/** A volume at a node, with what people call it. */
export interface PlacedVolume extends NodeVolume {
  readonly name: string;
  readonly attachmentId: string;
  readonly attachmentState: AttachmentState;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly backend_data: string | null;
  readonly attachment_id: string;
  readonly attachment_state: string;
  readonly generation: number;
}

const volumesMax = 10_000;
const columns = `v.id, v.name, v.backend_data, a.id as attachment_id, a.state as attachment_state, a.generation`;

/** The volumes whose attachments at a node are not over, by id. */
export async function volumesAtNode(reader: Reader, nodeId: string): Promise<PlacedVolume[]> {
  const statement = `select ${columns} from attachments a join volumes v on v.id = a.volume_id
    where a.node_id = ? and a.state <> 'detached' order by v.id limit ?`;
  return (await reader.rows<Row>(statement, [nodeId, volumesMax])).map(toPlaced);
}

/** The volumes whose attachments for a virtual machine are not over, by id; some systems name the machine as the node. */
export async function volumesOfVm(reader: Reader, vmId: string): Promise<PlacedVolume[]> {
  const statement = `select ${columns} from attachments a join volumes v on v.id = a.volume_id
    where (a.vm_id = ? or a.node_id = ?) and a.state <> 'detached' order by v.id limit ?`;
  return (await reader.rows<Row>(statement, [vmId, vmId, volumesMax])).map(toPlaced);
}

function toPlaced(row: Row): PlacedVolume {
  const attachmentState = row.attachment_state as AttachmentState;
  return {
    volumeId: row.id,
    name: row.name,
    uuids: uuidsOf(row),
    generation: row.generation,
    isWanted: attachmentState === 'attaching' || attachmentState === 'attached',
    attachmentId: row.attachment_id,
    attachmentState,
  };
}

/** That of the volume's own id, and the one under which its real system gives it to machines. */
function uuidsOf({ id, backend_data: text }: Row): string[] {
  const data = JSON.parse(text ?? '{}') as { readonly id?: unknown };
  const own = id.replace(/^vol-/, '');
  return typeof data.id === 'string' ? [own, data.id] : [own];
}
