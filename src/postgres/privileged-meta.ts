/**
 * Labels of `meta.security` decide who may see a resource: only who manages rights sets them or takes them away. What a
 * writer leaves as it was may stay. SECURITY AZ-06
 */
import type { Resource, TransactionWrite } from '../ports/resource-store.ts';
import { forbidden } from '../standards/fhir/outcome.ts';
import type { Access } from './access.ts';

type Change = (current: Resource | undefined) => Resource;

const labelsOf = (resource: Resource | undefined): string => {
  const { security } = (resource?.['meta'] ?? {}) as { readonly security?: unknown }; // an object, when it is there
  return JSON.stringify(security ?? []);
};

/** Throws `forbidden` unless both have the same labels. */
function checkLabels(before: Resource | undefined, after: Resource): void {
  if (labelsOf(before) !== labelsOf(after)) throw forbidden();
}

/** The change, which throws `forbidden` when it touches labels that the caller may not touch. */
export const guardChange = ({ mayLabel }: Access, change: Change): Change =>
  mayLabel
    ? change
    : (current) => {
        const next = change(current);
        checkLabels(current, next);
        return next;
      };

/** Throws `forbidden` when a new resource has labels that the caller may not set. */
export function checkNew({ mayLabel }: Access, resource: Resource): void {
  if (!mayLabel) checkLabels(undefined, resource);
}

/** Each write with its labels guarded; throws `forbidden` for a create, or when the resource is made. */
export const guardWrites = (access: Access, writes: readonly TransactionWrite[]): readonly TransactionWrite[] =>
  access.mayLabel
    ? writes
    : writes.map((write) => {
        if (write.kind === 'create') checkNew(access, write.resource);
        if (write.kind === 'make')
          return {
            ...write,
            make() {
              const resource = write.make();
              checkNew(access, resource);
              return resource;
            },
          };
        return write.kind === 'update' ? { ...write, change: guardChange(access, write.change) } : write;
      });
