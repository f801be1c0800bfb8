// What the dashboards are made of: a panel is data here, and Grafana's classic JSON comes from its own builders.
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphGradientMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapPanel,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as LinesPanel } from '@grafana/grafana-foundation-sdk/timeseries';

export interface Query {
  readonly expr: string;
  /** As Grafana writes it: `{{label}}`. */
  readonly legend?: string;
}

interface PanelBase {
  readonly title: string;
  /** What it shows, and what to look for. */
  readonly description: string;
  /** Grafana's name: s, percentunit, reqps, bytes, short, … */
  readonly unit: string;
  /** Of 24. */
  readonly width: number;
}

export interface Lines extends PanelBase {
  readonly type: 'lines';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  /** Colour by the name in the legend; others get one of the palette. */
  readonly colors?: Readonly<Record<string, string>>;
}

export interface Stat extends PanelBase {
  readonly type: 'stat';
  readonly query: Query;
  /** The legend instead of the value. */
  readonly shows?: 'name';
  readonly thresholds?: readonly Threshold[];
  readonly decimals?: number;
  /** Without a graph behind the value: it is a state, or over the whole range. */
  readonly plain?: boolean;
  readonly noValue?: string;
}

/** How often something happened in the chosen time; `isFault`: once is too often. */
export const countOf = (
  title: string,
  description: string,
  series: string,
  { isFault = false }: { isFault?: boolean } = {},
): Stat => ({
  type: 'stat',
  title,
  description,
  unit: 'short',
  width: 4,
  decimals: 0,
  plain: true,
  ...(isFault && {
    thresholds: [
      { value: null, color: 'green' },
      { value: 0.5, color: 'red' },
    ],
  }),
  query: { expr: `sum(increase(${series}[$__range]))` },
});

export interface Table extends PanelBase {
  readonly type: 'table';
  readonly query: Query;
  /** Labels that are columns, in this order, by the head that people read. */
  readonly columns: Readonly<Record<string, string>>;
  /** Head of the last column. */
  readonly value: string;
  readonly noValue?: string;
}

export interface HeatMap extends PanelBase {
  readonly type: 'heatmap';
  readonly query: Query;
}

export type PanelSpec = Lines | Stat | Table | HeatMap;

export interface Row {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  /** `label_values(…)`, or a text that people may change. */
  readonly query?: string;
  readonly text?: string;
  readonly description?: string;
  /** Several at once, and all of them at first. */
  readonly all?: boolean;
}

export interface Mark {
  readonly name: string;
  /** Its value is the moment, in milliseconds: the mark stands there whatever the interval of scrapes is. */
  readonly expr: string;
  readonly color: string;
  readonly title: string;
  readonly text: string;
}

export interface DashboardSpec {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly marks: readonly Mark[];
  readonly rows: readonly Row[];
}

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const HEIGHTS = { stat: 4, lines: 8, table: 8, heatmap: 8 } as const;

export function built(spec: DashboardSpec): Dashboard {
  const dashboard = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['devshelf'])
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const variable of spec.variables) dashboard.withVariable(variableOf(variable));
  for (const mark of spec.marks) dashboard.annotation(annotationOf(mark));
  let id = 0;
  for (const row of spec.rows) {
    id += 1;
    dashboard.withRow(new RowBuilder(row.title).id(id));
    for (const panel of row.panels) {
      id += 1;
      dashboard.withPanel(panelOf(panel).id(id));
    }
  }
  return dashboard.build();
}

function variableOf({ name, label, query, text = '', description = '', all = false }: Variable) {
  if (query === undefined) {
    return new TextBoxVariableBuilder(name)
      .label(label)
      .description(description)
      .defaultValue(text)
      .current({ text, value: text });
  }
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATASOURCE)
    .query({ qryType: 1, query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
  if (all) variable.multi(true).includeAll(true).allValue('.*').current({ text: 'All', value: '$__all' });
  return variable;
}

function annotationOf({ name, expr, color, title, text }: Mark) {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .step('60s')
    .useValueForTime(true)
    .titleFormat(title)
    .textFormat(text);
}

function panelOf(spec: PanelSpec) {
  switch (spec.type) {
    case 'lines':
      return linesOf(spec);
    case 'stat':
      return statOf(spec);
    case 'table':
      return tableOf(spec);
    case 'heatmap':
      return heatMapOf(spec);
  }
}

const ranged = ({ expr, legend = '' }: Query, index = 0) =>
  new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend)
    .range();

const instant = ({ expr, legend = '' }: Query) =>
  new DataqueryBuilder().refId('A').datasource(DATASOURCE).expr(expr).legendFormat(legend).instant();

const fixed = (fixedColor: string) => ({ id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor } });

function linesOf({ queries, stacked = false, colors = {}, ...base }: Lines) {
  const panel = new LinesPanel()
    .title(base.title)
    .description(base.description)
    .datasource(DATASOURCE)
    .unit(base.unit)
    .span(base.width)
    .height(HEIGHTS.lines)
    .min(0)
    .targets(queries.map(ranged))
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 8)
    .gradientMode(GraphGradientMode.None)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None).group('A'))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs(['lastNotNull']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  for (const [name, color] of Object.entries(colors)) panel.overrideByName(name, [fixed(color)]);
  return panel;
}

function statOf({ query, shows, thresholds, decimals, plain = false, noValue = 'no data', ...base }: Stat) {
  const isName = shows === 'name';
  const panel = new StatPanel()
    .title(base.title)
    .description(base.description)
    .datasource(DATASOURCE)
    .unit(base.unit)
    .span(base.width)
    .height(HEIGHTS.stat)
    .noValue(noValue)
    .targets([isName || plain ? instant(query) : ranged(query)])
    .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields(''))
    .textMode(isName ? BigValueTextMode.Name : BigValueTextMode.Value)
    .graphMode(isName || plain ? BigValueGraphMode.None : BigValueGraphMode.Area)
    .colorMode(thresholds ? BigValueColorMode.Value : BigValueColorMode.None)
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps([...(thresholds ?? [{ value: null, color: 'text' }])]),
    );
  if (decimals !== undefined) panel.decimals(decimals);
  return panel;
}

function tableOf({ query, columns, value, noValue = 'none', ...base }: Table) {
  const order = [...Object.keys(columns), 'Value'];
  return new TablePanel()
    .title(base.title)
    .description(base.description)
    .datasource(DATASOURCE)
    .unit(base.unit)
    .span(base.width)
    .height(HEIGHTS.table)
    .noValue(noValue)
    .targets([instant(query).format(PromQueryFormat.Table)])
    .transformations([
      { id: 'filterFieldsByName', options: { include: { names: order } } },
      {
        id: 'organize',
        options: {
          indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
          renameByName: { ...columns, Value: value },
        },
      },
    ]);
}

const heatMapOf = ({ query, ...base }: HeatMap) =>
  new HeatmapPanel()
    .title(base.title)
    .description(base.description)
    .datasource(DATASOURCE)
    .unit('short')
    .span(base.width)
    .height(HEIGHTS.heatmap)
    .targets([ranged(query).format(PromQueryFormat.Heatmap)])
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Blues').steps(32))
    .yAxis(new YAxisConfigBuilder().unit(base.unit));
