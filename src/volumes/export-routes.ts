import type { Static } from 'typebox';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { type Route, route } from '../kernel/http/server.ts';
import { acceptedReply } from '../kernel/operations/routes.ts';
import { isoTime } from '../kernel/operations/view.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import { type ExportSecret, type VolumeExport, exportSecret } from './export.ts';
import { exportContract, type exportSchema } from './export-contract.ts';
import { findExport, openExport } from './export-queries.ts';
import type { WantedTransport } from './export-wishes.ts';
import type { ExportKind } from './exports/target.ts';
import { requireVolume } from './queries.ts';
import type { VolumeService } from './service.ts';

/** The API of exports. */
export function exportRoutes(options: {
  readonly service: VolumeService;
  readonly store: Store;
  readonly sealer: Sealer;
}): Route[] {
  const { service, store, sealer } = options;
  return [
    route(exportContract.createExport, async ({ params, body, wish }) =>
      acceptedReply(await service.export(wish, params.volume, wantedTransport(body.transport, body))),
    ),
    route(exportContract.listExports, async ({ params }) => {
      const one = await store.read(async (reader) =>
        openExport(reader, (await requireVolume(reader, params.volume)).id),
      );
      return { items: one === null ? [] : [exportView(one)] };
    }),
    route(exportContract.deleteExport, async ({ params, query, wish }) =>
      acceptedReply(await service.unexport(wish, params.volume, params.export, query.force ?? false)),
    ),
    route(exportContract.getExportCredentials, async ({ params }) => {
      const found = await store.read(async (reader) => {
        const { id } = await requireVolume(reader, params.volume);
        const one = await findExport(reader, params.export);
        return one?.volumeId === id ? one : null;
      });
      if (found === null) throw new HoldfastError('not_found', `There is no export ${params.export}.`);
      if (found.sealedSecret === null) throw new HoldfastError('not_found', 'Clients of this export need no key.');
      return credentialsOf(JSON.parse(sealer.open(found.sealedSecret, exportSecret(found.id))) as ExportSecret);
    }),
  ];
}

function credentialsOf({ tls, dhchap }: ExportSecret): ReplyOf<typeof exportContract.getExportCredentials> {
  if (dhchap !== undefined) return { dhchap_secret: dhchap.key, dhchap_ctrl_secret: dhchap.controllerKey ?? null };
  const { identity, keyHex } = tls!;
  return { identity, key_hex: keyHex, psk_file: `${identity}:${keyHex}` };
}

/** What a request says of an export, with the defaults of what it leaves open. */
export function wantedTransport(
  transport: ExportKind,
  body: {
    readonly tls?: boolean | undefined;
    readonly chap?: boolean | undefined;
    readonly allowed_hosts?: readonly string[] | undefined;
    readonly export_host?: string | undefined;
  },
): WantedTransport {
  const { tls = false, chap = false, allowed_hosts: allowedHosts = [], export_host: host = null } = body;
  return { transport, host, isTls: tls, isChap: chap, allowedHosts };
}

function exportView(one: VolumeExport): Static<typeof exportSchema> {
  return {
    id: one.id,
    volume_id: one.volumeId,
    attachment_id: one.attachmentId,
    generation: one.generation,
    host: one.host,
    transport: one.transport,
    mode: one.mode,
    state: one.state,
    reason: one.reason,
    is_tls: one.transport === 'nbd' && one.sealedSecret !== null,
    is_chap: one.transport === 'nvmeof' && one.sealedSecret !== null,
    allowed_hosts: [...one.allowedHosts],
    connection:
      one.connection === null
        ? null
        : { ...one.connection, commands: one.connection.commands.map((each) => ({ ...each })) },
    created_at: isoTime(one.createdAtMs),
  };
}
