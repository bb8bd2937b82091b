/** One row of the route table, and how a request finds its row. */
import type { Handler } from './services.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `:type` is a storable resource type, `:compartment` one of the five, `:id` a FHIR id, `:version` anything. */
  readonly path: string;
  /** Code of https://hl7.org/fhir/R4/valueset-type-restful-interaction.html, or the operation's name. */
  readonly interaction: string;
  readonly level: 'system' | 'type' | 'operation';
  /**
   * Who may use it. `public`: anybody; `token`: any valid token, each part of the request being judged alone; letters on
   * the type of the path (SMART scopes: c, r, u, d, s); a right of the policy, or one of several. Where there are several
   * ways in, the handler asks for the one that the content needs.
   */
  readonly access:
    | 'public'
    | 'token'
    | { readonly letters: string }
    | { readonly right: string }
    | { readonly rights: readonly string[] }
    | { readonly letters: string; readonly orRight: string };
  readonly handle: Handler;
}

export interface RouteMatch {
  readonly route: Route | undefined;
  /** Methods the path knows, when the one asked for is not among them. */
  readonly allowed: readonly string[];
}

const COMPARTMENT_TYPES = new Set(['Device', 'Encounter', 'Patient', 'Practitioner', 'RelatedPerson']);

/** Compiles the table: a look-up by method and number of segments, then by pattern. */
export function compileRoutes(
  routes: readonly Route[],
  isType: (segment: string) => boolean,
  isId: (segment: string) => boolean,
): (method: string, segments: readonly string[]) => RouteMatch {
  const compiled = routes.map((route) => ({ route, pattern: route.path.split('/').filter((s) => s !== '') }));
  const byShape = new Map<string, typeof compiled>();
  for (const entry of compiled) {
    const key = `${entry.route.method} ${entry.pattern.length}`;
    byShape.set(key, [...(byShape.get(key) ?? []), entry]);
  }
  const fits = (pattern: readonly string[], segments: readonly string[]): boolean =>
    pattern.every((part, i) => {
      const segment = segments[i] as string; // same length
      if (part === ':type') return isType(segment);
      if (part === ':compartment') return COMPARTMENT_TYPES.has(segment);
      if (part === ':id') return isId(segment);
      return part === ':version' || part === segment;
    });
  return (method, segments) => {
    const wanted = method === 'HEAD' ? 'GET' : method;
    for (const { route, pattern } of byShape.get(`${wanted} ${segments.length}`) ?? [])
      if (fits(pattern, segments)) return { route, allowed: [] };
    const allowed = new Set(
      compiled
        .filter(({ pattern }) => pattern.length === segments.length && fits(pattern, segments))
        .map(({ route }) => route.method as string),
    );
    if (allowed.has('GET')) allowed.add('HEAD');
    return { route: undefined, allowed: [...allowed] };
  };
}
