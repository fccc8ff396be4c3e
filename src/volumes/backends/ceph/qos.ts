import type { QosLimits } from '../backend.ts';
import type { CephImage } from './image.ts';

const PREFIX = 'conf_rbd_qos_';

/** librbd keeps these limits itself, in every client that opens the image (Ceph documents: RBD QoS settings). */
const KEYS: Readonly<Record<keyof QosLimits, string>> = {
  iops: 'conf_rbd_qos_iops_limit',
  read_iops: 'conf_rbd_qos_read_iops_limit',
  write_iops: 'conf_rbd_qos_write_iops_limit',
  bytes_per_second: 'conf_rbd_qos_bps_limit',
  read_bytes_per_second: 'conf_rbd_qos_read_bps_limit',
  write_bytes_per_second: 'conf_rbd_qos_write_bps_limit',
};

/** The image metadata that sets these limits on an image that has none. */
export function qosMetadata(qos: QosLimits): readonly (readonly [key: string, value: string])[] {
  return Object.entries(qos).flatMap(([limit, value]: [string, number | undefined]) =>
    value === undefined ? [] : [[KEYS[limit as keyof QosLimits], String(value)] as const],
  );
}

/** Makes the image's limits exactly these. */
export async function writeQos(image: CephImage, qos: QosLimits): Promise<void> {
  const wanted = new Map(qosMetadata(qos));
  const present = await image.metadata(PREFIX);
  for (const [key, value] of wanted) if (present.get(key) !== value) await image.setMetadata(key, value);
  for (const key of Object.values(KEYS)) {
    if (present.has(key) && !wanted.has(key)) await image.removeMetadata(key);
  }
}
