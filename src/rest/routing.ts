/** Which route of the APIs beside FHIR a path means: prepared once, looked up by method and number of segments. */
import { FhirError, issue, notFound } from '../standards/fhir/outcome.ts';

/** `/api/things/:id`: a segment that begins with a colon stands for any. */
export interface RoutePath {
  readonly method: string;
  readonly path: string;
}

export interface FoundRoute<R extends RoutePath> {
  readonly route: R;
  readonly path: Readonly<Record<string, string>>;
}

/** Throws 404 where no route has the path, 405 where none has the method. HEAD is GET. */
export type FindRoute<R extends RoutePath> = (method: string, segments: readonly string[]) => FoundRoute<R>;

/** Throws where the table has a route twice. */
export function createRouting<R extends RoutePath>(routes: readonly R[]): FindRoute<R> {
  const byLength = new Map<number, { readonly route: R; readonly parts: readonly string[] }[]>();
  for (const route of routes) {
    const parts = route.path.slice(1).split('/');
    const same = byLength.get(parts.length) ?? [];
    if (same.some((one) => one.route.method === route.method && one.route.path === route.path))
      throw new Error(`${route.method} ${route.path} stands in the table twice`);
    byLength.set(parts.length, [...same, { route, parts }]);
  }
  // `/api/prescriptions/repeatable` goes before `/api/prescriptions/:id`.
  const order = (parts: readonly string[]): string => parts.map((part) => (isName(part) ? '1' : '0')).join('');
  for (const list of byLength.values()) list.sort((a, b) => order(a.parts).localeCompare(order(b.parts)));
  return (method, segments) => {
    const fitting = (byLength.get(segments.length) ?? []).filter(({ parts }) =>
      parts.every((part, i) => isName(part) || part === segments[i]),
    );
    const asked = method === 'HEAD' ? 'GET' : method;
    const found = fitting.find(({ route }) => route.method === asked);
    if (found) return { route: found.route, path: namesOf(found.parts, segments) };
    if (fitting.length === 0) throw notFound('That path');
    const allowed = fitting.map(({ route }) => route.method).join(', ');
    throw new FhirError(405, [issue('not-supported', `${method} is not possible here: use ${allowed}`)], {
      headers: { Allow: allowed },
    });
  };
}

const isName = (part: string): boolean => part[0] === ':';

const namesOf = (parts: readonly string[], segments: readonly string[]): Record<string, string> =>
  Object.fromEntries(parts.flatMap((part, i) => (isName(part) ? [[part.slice(1), segments[i] ?? ''] as const] : [])));
