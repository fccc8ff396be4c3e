import type { ExportConnection } from '../target.ts';

/** Whether a host proves itself to the target, and the target to the host as well where that asks. */
export type HostKeys = 'none' | 'host' | 'both';

/**
 * nvme-cli takes keys as options only. `dhchap.keys` stands for a file with the host's key and, in its second line, the
 * target's.
 */
const hostOption = ` --dhchap-secret="$(sed -n 1p dhchap.keys)"`;
const keyOptions: Readonly<Record<HostKeys, string>> = {
  none: '',
  host: hostOption,
  both: `${hostOption} --dhchap-ctrl-secret="$(sed -n 2p dhchap.keys)"`,
};

/**
 * How hosts reach an export: with nvme-cli, as a name that they must be allowed by. The device's own name is chance; its UUID is
 * not.
 *
 * @see https://github.com/linux-nvme/nvme-cli/tree/master/Documentation
 */
export function connectionTo(host: string, port: number, nqn: string, uuid: string, keys: HostKeys): ExportConnection {
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
      { purpose: 'attach', command: `nvme connect ${at} --nqn=${nqn}${keyOptions[keys]}` },
      { purpose: 'find the device', command: `readlink -f /dev/disk/by-id/nvme-uuid.${uuid}` },
      { purpose: 'detach', command: `nvme disconnect --nqn=${nqn}` },
    ],
  };
}
