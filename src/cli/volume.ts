import type { Command } from 'commander';
import { contract } from '../contract.ts';
import { formatSize } from '../kernel/config/size.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { type ConnectionOptions, type Session, connect } from './connection.ts';
import { coloured, json, table } from './output.ts';
import { registerAttach } from './volume-attach.ts';
import { registerExportCommands } from './volume-export.ts';
import { run, waiting } from './wish.ts';

type VolumeReply = ReplyOf<typeof contract.getVolume>;

/** `holdfast volume …` */
export function registerVolumeCommands(volume: Command): void {
  registerReading(volume);
  registerLifecycle(volume);
  registerAttach(volume);
  registerExportCommands(volume);
  registerRecovery(volume);
  registerContent(volume);
}

function registerReading(volume: Command): void {
  volume
    .command('list')
    .description('list volumes')
    .option('--state <state>')
    .option('--backend <backend>')
    .option('--name <name>')
    .option('--limit <n>', 'volumes a page', Number)
    .option('--cursor <cursor>')
    .action(async (options: ConnectionOptions & Record<string, string>, command: Command) => {
      const session = connect(command.optsWithGlobals());
      const { state, backend, name, limit, cursor } = options;
      const query = { state, backend, name, limit, cursor } as never;
      printVolumes(session, await session.client.call(contract.listVolumes, { query }));
    });
  volume
    .command('trash')
    .description('list deleted volumes that can be restored')
    .action(async (_options: unknown, command: Command) => {
      const session = connect(command.optsWithGlobals());
      printVolumes(session, await session.client.call(contract.listTrash, { query: {} }));
    });
  volume
    .command('show <volume>')
    .description('show one volume')
    .action(async (reference: string, _options: unknown, command: Command) => {
      const session = connect(command.optsWithGlobals());
      printVolume(session, await session.client.call(contract.getVolume, { params: { volume: reference } }));
    });
  volume
    .command('snapshots <volume>')
    .description('list the snapshots of a volume')
    .action(async (reference: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listSnapshots, { params: { volume: reference } });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map(({ name, size_bytes, state, created_at, id }) => [
        name,
        size(size_bytes),
        coloured(state),
        created_at,
        id,
      ]);
      for (const line of table(['NAME', 'SIZE', 'STATE', 'CREATED', 'ID'], rows)) output.line(line);
    });
  volume
    .command('watch <volume>')
    .description("tell a volume's transitions as they come")
    .option('--follow', 'go on after it has settled')
    .action(async (reference: string, options: { follow?: boolean }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const request = { params: { volume: reference }, query: { follow: options.follow ?? false } };
      for await (const { event, data } of client.stream(contract.watchVolume, request)) {
        if (event === 'done') break;
        const told = data as ReplyOf<typeof contract.watchVolume>;
        if (isJson) output.line(JSON.stringify(told));
        else
          output.line(
            `${told.timestamp}  ${told.event.padEnd(18)} ${coloured(told.state)}${told.reason ? `  ${told.reason}` : ''}`,
          );
      }
    });
}

function registerLifecycle(volume: Command): void {
  waiting(volume.command('create <name>').description('make a volume'))
    .option('--size <size>', 'such as 10GiB')
    .option('--backend <backend>')
    .option('--from-snapshot <id>', 'begin with the content of a snapshot')
    .option('--metadata <key=value...>')
    .option('--iops <n>', 'limit of operations a second', Number)
    .option('--bytes-per-second <n>', 'limit of throughput', Number)
    .option('--disk-offering-id <id>', 'on CloudStack: another disk offering')
    .option('--zone-id <id>', 'on CloudStack: another zone')
    .action(async (name: string, options: Record<string, never>, command: Command) => {
      const {
        size: wanted,
        backend,
        fromSnapshot,
        metadata,
        iops,
        bytesPerSecond,
        ...place
      } = options as CreateOptions;
      const { diskOfferingId, zoneId } = place;
      const qos = {
        ...(iops === undefined ? {} : { iops }),
        ...(bytesPerSecond === undefined ? {} : { bytes_per_second: bytesPerSecond }),
      };
      const body = {
        name,
        ...(wanted === undefined ? {} : { size: wanted }),
        ...(backend === undefined ? {} : { backend }),
        ...(fromSnapshot === undefined ? {} : { snapshot_id: fromSnapshot }),
        ...(metadata === undefined ? {} : { metadata: Object.fromEntries(metadata.map(keyValue)) }),
        ...(Object.keys(qos).length === 0 ? {} : { qos }),
        ...(diskOfferingId === undefined ? {} : { disk_offering_id: diskOfferingId }),
        ...(zoneId === undefined ? {} : { zone_id: zoneId }),
      };
      await run(command, (session, key) => session.client.call(contract.createVolume, { body, ...key }));
    });
  waiting(
    volume
      .command('attach-root <volume> <vm>')
      .description('attach a volume as the disk that a stopped VM starts from'),
  ).action(async (reference: string, vm: string, _options: unknown, command: Command) => {
    const request = { params: { volume: reference }, body: { vm_id: vm } };
    await run(command, (session, key) => session.client.call(contract.attachRootVolume, { ...request, ...key }));
  });
  waiting(volume.command('detach <volume>').description('detach a volume'))
    .option('--attachment <id>', 'only this attachment')
    .option('--force', 'fence its clients first')
    .action(async (reference: string, options: { attachment?: string; force?: boolean }, command: Command) => {
      const { attachment, force = false } = options;
      const body = { force, ...(attachment === undefined ? {} : { attachment_id: attachment }) };
      await run(command, (session, key) =>
        session.client.call(contract.detachVolume, { params: { volume: reference }, body, ...key }),
      );
    });
}

function registerRecovery(volume: Command): void {
  waiting(volume.command('delete <volume>').description('move a volume to the trash'))
    .option('--purge', 'remove it for good')
    .action(async (reference: string, options: { purge?: boolean }, command: Command) => {
      const query = { purge: options.purge ?? false };
      await run(command, (session, key) =>
        session.client.call(contract.deleteVolume, { params: { volume: reference }, query, ...key }),
      );
    });
  waiting(volume.command('restore <volume>').description('bring a volume back from the trash, by id'))
    .option('--name <name>')
    .action(async (reference: string, options: { name?: string }, command: Command) => {
      const body = options.name === undefined ? {} : { name: options.name };
      await run(command, (session, key) =>
        session.client.call(contract.restoreVolume, { params: { volume: reference }, body, ...key }),
      );
    });
  waiting(volume.command('reconcile <volume>').description('make a volume in error true again')).action(
    async (reference: string, _options: unknown, command: Command) => {
      await run(command, (session, key) =>
        session.client.call(contract.reconcileVolume, { params: { volume: reference }, body: {}, ...key }),
      );
    },
  );
  waiting(volume.command('import <image>').description('take an existing image in'))
    .option('--name <name>')
    .option('--backend <backend>')
    .action(async (image: string, options: { name?: string; backend?: string }, command: Command) => {
      const { name, backend } = options;
      const body = {
        image,
        ...(name === undefined ? {} : { name }),
        ...(backend === undefined ? {} : { backend }),
      };
      await run(command, (session, key) => session.client.call(contract.importVolume, { body, ...key }));
    });
}

interface CreateOptions {
  readonly size?: string;
  readonly backend?: string;
  readonly fromSnapshot?: string;
  readonly metadata?: readonly string[];
  readonly iops?: number;
  readonly bytesPerSecond?: number;
  readonly diskOfferingId?: string;
  readonly zoneId?: string;
}

function registerContent(volume: Command): void {
  waiting(volume.command('resize <volume> <size>').description('grow a volume')).action(
    async (reference: string, wanted: string, _options: unknown, command: Command) => {
      const body = { size: wanted };
      await run(command, (session, key) =>
        session.client.call(contract.resizeVolume, { params: { volume: reference }, body, ...key }),
      );
    },
  );
  waiting(volume.command('snapshot <volume> <name>').description('take a snapshot'))
    .option('--delete', 'remove it instead')
    .action(async (reference: string, name: string, options: { delete?: boolean }, command: Command) => {
      const params = { volume: reference };
      await run(command, (session, key) =>
        options.delete === true
          ? session.client.call(contract.deleteSnapshot, { params: { ...params, snapshot: name }, ...key })
          : session.client.call(contract.createSnapshot, { params, body: { name }, ...key }),
      );
    });
  waiting(volume.command('revert <volume> <snapshot>').description('make a volume what it was at a snapshot')).action(
    async (reference: string, snapshot: string, _options: unknown, command: Command) => {
      const body = { snapshot_id: snapshot };
      await run(command, (session, key) =>
        session.client.call(contract.revertVolume, { params: { volume: reference }, body, ...key }),
      );
    },
  );
}

function printVolumes({ output, isJson }: Session, reply: ReplyOf<typeof contract.listVolumes>): void {
  if (isJson) return output.line(json(reply));
  const rows = reply.items.map((one) => [
    one.name,
    coloured(one.state),
    size(one.size_bytes),
    one.backend,
    one.node_id ?? '-',
    one.id,
  ]);
  for (const line of table(['NAME', 'STATE', 'SIZE', 'BACKEND', 'NODE', 'ID'], rows)) output.line(line);
  if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
}

function printVolume({ output, isJson }: Session, one: VolumeReply): void {
  if (isJson) return output.line(json(one));
  const facts: readonly (readonly [string, string | null])[] = [
    ['id', one.id],
    ['name', one.name],
    ['state', coloured(one.state)],
    ['reason', one.reason],
    ['size', `${size(one.size_bytes)} (${one.size_bytes} bytes)`],
    ['backend', one.backend],
    ['location', one.location],
    ['attached at', one.attachments.map(attachedAt).join(', ') || null],
    ['attempts', one.attempt === 0 ? null : String(one.attempt)],
    ['next retry', one.next_retry_at],
    [
      'last operation',
      one.last_operation === null
        ? null
        : `${one.last_operation.type} ${one.last_operation.status} (${one.last_operation.id})`,
    ],
    ['on CloudStack', cloudStackLine(one.cloudstack_data)],
    ['metadata', Object.keys(one.metadata).length === 0 ? null : JSON.stringify(one.metadata)],
    ['limits', Object.keys(one.qos).length === 0 ? null : JSON.stringify(one.qos)],
    ['created', one.created_at],
    ['in trash until', one.trash_expires_at],
  ];
  for (const [name, value] of facts) if (value !== null) output.line(`${name.padEnd(16)}${value}`);
}

function attachedAt({ node_id, state, mode, device }: VolumeReply['attachments'][number]): string {
  return `${node_id} (${[state, mode, ...(device === null ? [] : [device])].join(', ')})`;
}

/** What CloudStack said of it, in a line; the rest is in the JSON. */
function cloudStackLine(data: VolumeReply['cloudstack_data']): string | null {
  if (data === null) return null;
  const { type, state, id, as_of } = data as Readonly<Record<string, unknown>>;
  return `${String(type)} ${String(state)} (${String(id)}), read ${String(as_of)}`;
}

function size(bytes: bigint | number | string): string {
  return formatSize(BigInt(bytes));
}

function keyValue(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
