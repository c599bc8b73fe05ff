/** A page of results, for the list of all. */
export interface ResultsPage {
  readonly title: string;
  readonly link: string;
  readonly summary: string;
}
