/** Public halves of the operator's keys, one a node: a node that has not been there for a day has none. SECURITY KS-01 */
import type { JwkSet } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OperatorKeys } from '../../ports/operator-keys.ts';
import { translated } from '../database-error.ts';
import type { Pipeline } from '../pools.ts';

const KEPT_MS = 24 * 60 * 60_000;
const NODES_MAX = 200;

export function createOperatorKeys({ writes, now }: { readonly writes: Pipeline; readonly now: Clock }): OperatorKeys {
  const oldest = (): Date => new Date(now() - KEPT_MS);
  return {
    keep: (node, jwk) =>
      translated(async () => {
        await writes.query({
          name: 'operator-key-keep',
          text: `with gone as (delete from auth.operator_key where seen_at <= $5 and node <> $1)
insert into auth.operator_key (node, kid, jwk, seen_at) values ($1, $2, $3, $4)
on conflict (node) do update set kid = $2, jwk = $3, seen_at = $4`,
          values: [node, String(jwk['kid']), JSON.stringify(jwk), new Date(now()), oldest()],
        });
      }),
    list: () =>
      translated(async () => {
        const rows = await writes.query({
          name: 'operator-key-list',
          // Nodes that share a folder share its key.
          text: `select distinct on (kid) jwk from auth.operator_key where seen_at > $1
order by kid, seen_at desc limit ${NODES_MAX}`,
          values: [oldest()],
        });
        return { keys: rows.map(([jwk]) => jwk as JwkSet['keys'][number]) }; // as `keep` wrote it
      }),
  };
}
