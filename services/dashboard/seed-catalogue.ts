/** What a neighbourhood's market in Argentina has on its shelves, and who brings it. */
export type Supplier = {
  readonly codigo: string;
  readonly nombre: string;
  /** how much of what is sold comes from here, relative to the others */
  readonly share: number;
  /** deliveries are ordered on these days of the week, 0 = Sunday */
  readonly orderDays: readonly number[];
  /** days from order to delivery */
  readonly leadDays: number;
  readonly lines: readonly Line[];
  /** days before the end when the market stopped buying here */
  readonly leftDaysAgo?: number;
};

export type Line = { readonly categoria: Category; readonly nombre: string; readonly sizes: readonly string[] };

/** How demand moves through the year: 1 is all of it in January's heat, -1 in July's cold. */
export const CATEGORIES = {
  Bebidas: 0.35,
  Panificados: 0,
  Lácteos: 0.05,
  Golosinas: -0.1,
  Almacén: -0.15,
  Limpieza: 0,
  Fiambres: 0.1,
  Infusiones: -0.35,
  Helados: 0.8,
  Perfumería: 0.05,
} as const;

export type Category = keyof typeof CATEGORIES;

const line = (categoria: Category, nombre: string, ...sizes: readonly string[]): Line => ({ categoria, nombre, sizes });

const MONDAY_TO_SATURDAY = [1, 2, 3, 4, 5, 6];

export const SUPPLIERS: readonly Supplier[] = [
  {
    codigo: 'BC',
    nombre: 'Bodega Cedeira',
    share: 26,
    orderDays: [1, 2, 3, 4, 5],
    leadDays: 1,
    lines: [
      line('Bebidas', 'Vino tinto Malbec Cedeira', '375 ml', '750 ml', '1 l'),
      line('Bebidas', 'Vino blanco Torrontés Cedeira', '750 ml', '1 l'),
      line('Bebidas', 'Vino rosado Cedeira', '750 ml'),
      line('Bebidas', 'Sidra Cedeira', '720 ml'),
      line('Bebidas', 'Soda en sifón', '1,5 l', '2 l'),
      line('Bebidas', 'Fernet', '450 ml', '750 ml', '1 l'),
      line('Almacén', 'Aceto balsámico', '250 ml', '500 ml'),
    ],
  },
  {
    codigo: 'CO',
    nombre: 'Coca-Cola',
    share: 21,
    orderDays: [1, 3, 5],
    leadDays: 1,
    lines: [
      line('Bebidas', 'Gaseosa Coca-Cola', '354 ml', '500 ml', '1,5 l', '2,25 l'),
      line('Bebidas', 'Gaseosa Coca-Cola sin azúcares', '354 ml', '500 ml', '1,5 l', '2,25 l'),
      line('Bebidas', 'Gaseosa Sprite', '500 ml', '1,5 l', '2,25 l'),
      line('Bebidas', 'Gaseosa Fanta naranja', '500 ml', '1,5 l', '2,25 l'),
      line('Bebidas', 'Agua mineral Bonaqua', '500 ml', '1,5 l'),
      line('Bebidas', 'Jugo Cepita durazno', '200 ml', '1 l'),
    ],
  },
  {
    codigo: 'LS',
    nombre: 'La Serenísima',
    share: 17,
    orderDays: MONDAY_TO_SATURDAY,
    leadDays: 1,
    lines: [
      line('Lácteos', 'Leche entera', 'sachet 1 l', 'larga vida 1 l'),
      line('Lácteos', 'Leche descremada', 'sachet 1 l', 'larga vida 1 l'),
      line('Lácteos', 'Yogur bebible frutilla', '190 g', '900 g'),
      line('Lácteos', 'Yogur firme vainilla', '190 g'),
      line('Lácteos', 'Manteca', '100 g', '200 g'),
      line('Lácteos', 'Dulce de leche', '250 g', '400 g', '1 kg'),
      line('Lácteos', 'Queso crema', '190 g', '290 g'),
      line('Lácteos', 'Queso cremoso', 'x kg'),
    ],
  },
  {
    codigo: 'AR',
    nombre: 'Arcor',
    share: 12,
    orderDays: [2, 5],
    leadDays: 2,
    lines: [
      line('Golosinas', 'Alfajor triple', '60 g', 'caja x 24'),
      line('Golosinas', 'Chocolate con leche', '25 g', '100 g'),
      line('Golosinas', 'Caramelos Butter Toffees', '150 g', '900 g'),
      line('Golosinas', 'Bon o Bon', 'unidad', 'caja x 30'),
      line('Golosinas', 'Turrón', '25 g'),
      line('Almacén', 'Mermelada de ciruela', '390 g', '454 g'),
      line('Almacén', 'Tomate triturado', '520 g', '910 g'),
      line('Almacén', 'Arvejas en lata', '300 g'),
    ],
  },
  {
    codigo: 'QU',
    nombre: 'Quilmes',
    share: 11,
    orderDays: [1, 4],
    leadDays: 1,
    lines: [
      line('Bebidas', 'Cerveza Quilmes clásica', 'lata 473 ml', 'retornable 1 l', 'pack x 6'),
      line('Bebidas', 'Cerveza Stella Artois', 'lata 473 ml', '1 l'),
      line('Bebidas', 'Cerveza Andes roja', 'lata 473 ml'),
      line('Bebidas', 'Agua Eco de los Andes', '500 ml', '1,5 l'),
      line('Bebidas', 'Gaseosa Pepsi', '500 ml', '2,25 l'),
    ],
  },
  {
    codigo: 'FA',
    nombre: 'Fargo',
    share: 9,
    orderDays: MONDAY_TO_SATURDAY,
    leadDays: 1,
    lines: [
      line('Panificados', 'Pan lactal blanco', 'chico 330 g', 'grande 560 g'),
      line('Panificados', 'Pan lactal integral', '330 g', '560 g'),
      line('Panificados', 'Pan de salvado', '560 g'),
      line('Panificados', 'Pan para hamburguesas', 'x 4', 'x 8'),
      line('Panificados', 'Pan para panchos', 'x 6'),
      line('Panificados', 'Tostadas clásicas', '200 g'),
      line('Panificados', 'Budín marmolado', '200 g'),
    ],
  },
  {
    codigo: 'MO',
    nombre: 'Molinos',
    share: 8,
    orderDays: [3],
    leadDays: 3,
    lines: [
      line('Almacén', 'Fideos tallarín', '500 g'),
      line('Almacén', 'Fideos tirabuzón', '500 g'),
      line('Almacén', 'Arroz largo fino', '500 g', '1 kg'),
      line('Almacén', 'Aceite de girasol', '900 ml', '1,5 l', '3 l'),
      line('Almacén', 'Harina 0000', '1 kg'),
      line('Almacén', 'Polenta instantánea', '500 g'),
      line('Almacén', 'Puré de papas', '125 g'),
      line('Almacén', 'Premezcla de ñoquis', '500 g'),
    ],
  },
  {
    codigo: 'LM',
    nombre: 'Establecimiento Las Marías',
    share: 7,
    orderDays: [2],
    leadDays: 3,
    lines: [
      line('Infusiones', 'Yerba mate Taragüí', '500 g', '1 kg'),
      line('Infusiones', 'Yerba mate La Merced', '500 g'),
      line('Infusiones', 'Yerba mate Unión suave', '500 g', '1 kg'),
      line('Infusiones', 'Té negro en saquitos', 'x 25', 'x 50'),
      line('Infusiones', 'Té de boldo en saquitos', 'x 25'),
      line('Infusiones', 'Mate cocido en saquitos', 'x 25', 'x 50'),
    ],
  },
  {
    codigo: 'PA',
    nombre: 'Fiambres Paladini',
    share: 6,
    orderDays: [1, 4],
    leadDays: 1,
    lines: [
      line('Fiambres', 'Jamón cocido', '150 g', 'x kg'),
      line('Fiambres', 'Salame picado fino', '200 g', 'x kg'),
      line('Fiambres', 'Mortadela', 'x kg'),
      line('Fiambres', 'Salchichas', 'x 6', 'x 12'),
      line('Fiambres', 'Queso en barra', '150 g', 'x kg'),
    ],
  },
  {
    codigo: 'LI',
    nombre: 'Limpieza Sur',
    share: 5,
    orderDays: [4],
    leadDays: 3,
    lines: [
      line('Limpieza', 'Lavandina', '1 l', '2 l'),
      line('Limpieza', 'Detergente limón', '500 ml', '750 ml'),
      line('Limpieza', 'Jabón en polvo', '400 g', '800 g', '3 kg'),
      line('Limpieza', 'Desodorante de pisos lavanda', '900 ml', '1,8 l'),
      line('Limpieza', 'Esponja multiuso', 'unidad', 'x 3'),
      line('Limpieza', 'Bolsas de residuos', 'x 10', 'x 30'),
      line('Limpieza', 'Rollo de cocina', 'x 3'),
      line('Limpieza', 'Papel higiénico', 'x 4', 'x 6'),
    ],
  },
  {
    codigo: 'HD',
    nombre: 'Helados del Delta',
    share: 4,
    orderDays: [2, 5],
    leadDays: 2,
    lines: [
      line('Helados', 'Helado de dulce de leche', '1 l', '3 l'),
      line('Helados', 'Helado de frutilla', '1 l'),
      line('Helados', 'Palito bombón', '60 ml'),
      line('Helados', 'Postre almendrado', '8 porciones'),
    ],
  },
  {
    codigo: 'HB',
    nombre: 'Higiene y Belleza Once',
    share: 3,
    orderDays: [3],
    leadDays: 4,
    lines: [
      line('Perfumería', 'Champú manzanilla', '350 ml', '930 ml'),
      line('Perfumería', 'Jabón de tocador', '90 g', 'x 3'),
      line('Perfumería', 'Pasta dental', '70 g', '140 g'),
      line('Perfumería', 'Desodorante en aerosol', '150 ml'),
      line('Perfumería', 'Pañales', 'M x 36', 'G x 30'),
    ],
  },
  {
    codigo: 'GO',
    nombre: 'Galletitas del Oeste',
    share: 3,
    orderDays: [5],
    leadDays: 2,
    lines: [
      line('Golosinas', 'Galletitas surtidas', '400 g'),
      line('Golosinas', 'Galletitas de chocolate', '118 g', '354 g'),
      line('Golosinas', 'Galletitas de agua', '101 g', 'x 3'),
      line('Golosinas', 'Papas fritas', '85 g', '145 g'),
      line('Golosinas', 'Maní salado', '120 g', '500 g'),
    ],
  },
  {
    codigo: 'DN',
    nombre: 'Distribuidora Don Nicola',
    share: 2,
    orderDays: [1],
    leadDays: 3,
    leftDaysAgo: 45,
    lines: [
      line('Almacén', 'Aceitunas verdes', '180 g', '330 g'),
      line('Almacén', 'Atún al natural', '170 g'),
      line('Almacén', 'Caballa en aceite', '380 g'),
    ],
  },
];
