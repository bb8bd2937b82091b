import type { Knex } from 'knex';

// Where Locations are, for `near`. A text that holds no position of numbers has no place, and no entry in the index.

const UP = `
create function mortar.place(content text) returns point language sql immutable parallel safe as $$
  select case when position('"position"' in content) > 0
    and jsonb_typeof(content::jsonb #> '{position,latitude}') = 'number'
    and jsonb_typeof(content::jsonb #> '{position,longitude}') = 'number'
  then point((content::jsonb #>> '{position,longitude}')::float8, (content::jsonb #>> '{position,latitude}')::float8) end
$$;
create index location_place on fhir.location using gist (mortar.place(content)) where position('"position"' in content) > 0;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index fhir.location_place; drop function mortar.place(text)');
}
