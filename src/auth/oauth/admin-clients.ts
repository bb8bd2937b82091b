/** Clients as an administrator keeps them: `/api/v2/admin/clients`. SECURITY SR-03, LG-12, AU-01 */
import type { Request } from 'express';
import type { Caller } from '../../ports/caller.ts';
import type { Client, Clients } from '../../ports/clients.ts';
import type { Grants } from '../../ports/grants.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import type { ScopeVocabulary } from '../../standards/smart/scope.ts';
import { type AdminAnswer, type AdminRightParts, checkAdmin } from './admin-right.ts';
import { badMetadata, formatAdminMetadata, parseMetadata } from './client-metadata.ts';
import { readJson } from './register.ts';

export interface AdminClientsParts extends AdminRightParts {
  readonly clients: Clients;
  readonly grants: Pick<Grants, 'revoke'>;
  readonly vocabulary: ScopeVocabulary;
  readonly ownClients: ReadonlySet<string>;
  readonly forgetTokens: () => void;
}

const PAGE = 100;

/** What an administrator can do with clients; each takes a caller that has been checked. */
export function createAdminClients(parts: AdminClientsParts) {
  const { clients, trail } = parts;
  const record = (req: Request, caller: Caller, client: string, rule: string): Promise<void> =>
    trail({ kind: 'client', req, caller, rule, detail: { client } });

  /** Clients of our own are made and ended by the server itself. */
  async function read(id: string): Promise<Client> {
    const client = await clients.find(id);
    if (!client || parts.ownClients.has(id)) throw notFound('The client');
    return client;
  }

  return {
    async list(req: Request): Promise<AdminAnswer> {
      await checkRight(parts, req, false);
      const after = typeof req.query['after'] === 'string' ? req.query['after'] : undefined;
      const page = await clients.list({ ...(after !== undefined && { after }), limit: PAGE });
      return { status: 200, body: page.map(formatAdminMetadata) };
    },

    async add(req: Request): Promise<AdminAnswer> {
      const caller = await checkRight(parts, req, true);
      const client = await clients.add(parseMetadata(await readJson(req), parts.vocabulary, true));
      await record(req, caller, client.id, 'added');
      const secret = client.kind === 'symmetric' ? await clients.addSecret(client.id) : undefined;
      return {
        status: 201,
        body: { ...formatAdminMetadata(client), ...(secret !== undefined && { client_secret: secret }) },
      };
    },

    async find(req: Request, id: string): Promise<AdminAnswer> {
      await checkRight(parts, req, false);
      return { status: 200, body: formatAdminMetadata(await read(id)) };
    },

    async change(req: Request, id: string): Promise<AdminAnswer> {
      const caller = await checkRight(parts, req, true);
      const before = await read(id);
      const next = parseMetadata(await readJson(req), parts.vocabulary, true);
      if (next.kind !== before.kind) throw badMetadata('token_endpoint_auth_method cannot change its kind');
      const client = await clients.change(id, next);
      await record(req, caller, id, 'changed');
      return { status: 200, body: formatAdminMetadata(client ?? before) };
    },

    async setDisabled(req: Request, id: string, isDisabled: boolean): Promise<AdminAnswer> {
      const caller = await checkRight(parts, req, true);
      await read(id);
      await clients.setDisabled(id, isDisabled);
      // What was granted before does not come back with the client.
      if (isDisabled) await parts.grants.revoke({ clientId: id }, 'client disabled');
      parts.forgetTokens();
      await record(req, caller, id, isDisabled ? 'disabled' : 'enabled');
      return { status: 204 };
    },

    async addSecret(req: Request, id: string): Promise<AdminAnswer> {
      const caller = await checkRight(parts, req, true);
      if ((await read(id)).kind !== 'symmetric') throw badMetadata('this client has no secret');
      const secret = await clients.addSecret(id);
      await record(req, caller, id, 'secret-added');
      return { status: 201, body: { client_id: id, client_secret: secret } };
    },
  };
}

const checkRight = (parts: AdminClientsParts, req: Request, isChange: boolean): Promise<Caller> =>
  checkAdmin(parts, req, { right: 'admin:clients', kind: 'client', isChange });
