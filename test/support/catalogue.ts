/** Medicines of the catalogue, invented. */
import type { CatalogueEntry } from '../../src/workflow/prescribing/catalogue/entry.ts';

/** A medicine that nothing stands against; `more`: what is otherwise. Its id is made of its name. */
export const catalogueEntry = (name: string, more: Partial<CatalogueEntry> = {}): CatalogueEntry => ({
  id: `med-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`,
  name,
  form: 'tablets',
  strength: '',
  substances: [name.toLowerCase()],
  codes: {},
  classes: [],
  requiresApproval: false,
  isActive: true,
  interactions: [],
  ...more,
});
