export {
  createForecaster,
  type Forecast,
  type Forecaster,
  type ForecasterOptions,
  type ForecastStream,
} from "./forecaster.ts";
export type { GivenRows, Moment, RowOptions } from "./rows.ts";
