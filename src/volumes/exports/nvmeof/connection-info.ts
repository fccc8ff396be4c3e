import type { ExportConnection } from '../target.ts';

/**
 * How hosts reach an export: with nvme-cli, as a name that they must be allowed by. The device's own name is chance; its UUID is
 * not.
 *
 * @see https://github.com/linux-nvme/nvme-cli/tree/master/Documentation
 */
export function connectionTo(host: string, port: number, nqn: string, uuid: string): ExportConnection {
  const bare = host.replace(/^\[|\]$/g, '');
  const address = bare.includes(':') ? `[${bare}]` : bare;
  const at = `--transport=tcp --traddr=${bare} --trsvcid=${port}`;
  return {
    uri: `nvme+tcp://${address}:${port}/${nqn}`,
    host,
    port,
    name: nqn,
    commands: [
      { purpose: 'inspect', command: `nvme discover ${at}` },
      { purpose: 'attach', command: `nvme connect ${at} --nqn=${nqn}` },
      { purpose: 'find the device', command: `readlink -f /dev/disk/by-id/nvme-uuid.${uuid}` },
      { purpose: 'detach', command: `nvme disconnect --nqn=${nqn}` },
    ],
  };
}
