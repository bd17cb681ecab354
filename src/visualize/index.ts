export {
  type AnnotatedPicture,
  annotate,
  type BarSource,
  type ColorBar,
  colorBarOf,
} from './annotate.ts';
export {
  type Colormap,
  type ColormapDefinition,
  type ColormapName,
  colormap,
  colormapNames,
  colormaps,
  colourIndex,
  cssGradient,
  DEFAULT_COLORMAP,
  DEFAULT_SIGNED_COLORMAP,
} from './colormap.ts';
export {
  type ContactSheet,
  drawContactSheet,
  type SheetCell,
  type SheetRow,
} from './contact-sheet.ts';
export { type Colour, drawOutline, type OutlineOptions } from './contour.ts';
export { cutOut } from './cut-out.ts';
export {
  type ChartSeries,
  type LineChart,
  lineChartSvg,
  type SeriesStyle,
  seriesStyles,
} from './line-chart.ts';
export {
  minMax,
  type NormalizeOptions,
  normalizeSigned,
  normalizeUnsigned,
  percentile,
} from './normalize.ts';
export { type ExplainedMap, type OverlayOptions, overlay } from './overlay.ts';
export {
  type ReportCell,
  type ReportChart,
  type ReportGallery,
  type ReportLegend,
  type ReportPage,
  type ReportSection,
  type ReportTable,
  type ReportValue,
  reportHtml,
} from './report.ts';
export { sagToDot } from './sag-dot.ts';
export type { DrawableSag, SagPictureOptions } from './sag-part.ts';
export { drawSag } from './sag-svg.ts';
export { sagThumbnails } from './sag-thumbnails.ts';
