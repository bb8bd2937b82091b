/**
 * Who acted, kept once and named in every entry by a keyed hash of what is said of them: a row that is changed later no
 * longer fits its name. What names a person is sealed.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import type { Caller } from '../../ports/caller.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { escapeControls } from '../../standards/fhir/audit-event/escape-controls.ts';
import type { Pipeline } from '../pools.ts';

/** A caller as the trail remembers them; also what the hash is made of, so the order of members counts. */
export interface AgentContent {
  readonly kind: Caller['kind'];
  readonly name: string;
  readonly clientId?: string;
  readonly user?: {
    readonly id: string;
    readonly name: string;
    readonly roles: readonly string[];
    readonly fhirUser?: string;
    readonly practitionerId?: string;
    readonly organizationIds: readonly string[];
  };
}

/** Of a table of this process; those not asked for go first. */
const KNOWN_MAX = 10_000;
const LIST_MAX = 50;

export interface Agents {
  /** 16 bytes. */
  idOf(caller: Caller): Buffer;
  /** Resolves when the caller is stored; undefined when this process has stored them before. */
  admit(caller: Caller): Promise<void> | undefined;
}

interface Described {
  readonly text: string;
  readonly id: Buffer;
}

export function createAgents(options: {
  readonly writes: Pipeline;
  readonly key: KeyObject;
  readonly cipher: Cipher;
  readonly now: () => number;
}): Agents {
  const { writes, key, cipher, now } = options;
  const described = new WeakMap<Caller, Described>();
  /** By what the callers of one token share: each request makes a caller of its own. */
  const byGrant = new WeakMap<object, Described & { readonly of: Caller }>();
  const ids = new Map<string, Buffer>();
  const stored = new Map<string, Promise<void> | 'stored'>();

  function describe(caller: Caller): Described {
    const known = described.get(caller) ?? describedBefore(caller);
    if (known) return known;
    const text = JSON.stringify(agentContent(caller));
    let id = ids.get(text);
    if (!id) {
      id = agentId(key, text);
      keep(ids, text, id);
    }
    const made = { text, id };
    described.set(caller, made);
    byGrant.set(caller.user ?? caller.scopes, { ...made, of: caller });
    return made;
  }

  function describedBefore({ user, scopes, kind, name, clientId }: Caller): Described | undefined {
    const known = byGrant.get(user ?? scopes);
    return known?.of.kind === kind && known.of.name === name && known.of.clientId === clientId ? known : undefined;
  }

  async function store(caller: Caller, text: string, id: Buffer): Promise<void> {
    const { kind, name, clientId, user } = agentContent(caller);
    await writes.query({
      name: 'audit-agent',
      text: `insert into audit.agent (id, at, kind, name, user_id, fhir_user, client_id, content)
values ($1::uuid, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
      values: [
        id,
        now(),
        kind,
        name,
        user?.id ?? null,
        user?.fhirUser ?? null,
        clientId ?? null,
        cipher.seal(Buffer.from(text), agentContext(id)),
      ],
    });
  }

  return {
    idOf: (caller) => describe(caller).id,
    admit(caller) {
      const { text, id } = describe(caller);
      const known = stored.get(text);
      if (known === 'stored') return undefined;
      if (known) return known;
      const storing = store(caller, text, id).then(
        () => void stored.set(text, 'stored'),
        (error: unknown) => {
          stored.delete(text);
          throw error;
        },
      );
      keep(stored, text, storing);
      return storing;
    },
  };
}

function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.set(key, value);
  if (map.size <= KNOWN_MAX) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

export const agentId = (key: KeyObject, text: string): Buffer =>
  createHmac('sha256', key).update('agent\u0000').update(text).digest().subarray(0, 16);

export const agentContext = (id: Buffer): string => `audit agent ${id.toString('hex')}`;

/** What is kept of a caller: who they are, not what they may do now. */
function agentContent({ kind, name, clientId, user }: Caller): AgentContent {
  const clean = (list: readonly string[]): string[] => list.slice(0, LIST_MAX).map((text) => escapeControls(text));
  return {
    kind,
    name: escapeControls(name),
    ...(clientId !== undefined && { clientId: escapeControls(clientId) }),
    ...(user && {
      user: {
        id: escapeControls(user.id),
        name: escapeControls(user.name),
        roles: clean(user.roles),
        ...(user.fhirUser !== undefined && { fhirUser: escapeControls(user.fhirUser) }),
        ...(user.practitionerId !== undefined && { practitionerId: escapeControls(user.practitionerId) }),
        organizationIds: clean(user.organizationIds),
      },
    }),
  };
}
