"""What people call the columns of orders, in six languages and in known programs.

Letter case, blanks and marks do not count. What Northwind and Olist write stands among them.
"""

ORDER = (
    "OrderID", "Order", "Order number", "Order no", "Bestellnummer", "Bestell-Nr", "Auftrag",
    "Auftragsnummer", "주문번호", "주문", "Número do pedido", "Pedido", "Commande",
    "Numéro de commande", "N° de commande", "Número de pedido", "Nº de pedido",
)  # fmt: skip
CUSTOMER = (
    "CustomerID", "Customer", "Customer number", "Kunde", "Kundennummer", "고객번호", "고객",
    "Cliente", "Número do cliente", "Client", "Numéro de client", "Número de cliente",
)  # fmt: skip
PLACED = (
    "OrderDate", "Order date", "Ordered", "Placed", "Date", "Bestelldatum", "Datum", "주문일",
    "주문일시", "Data do pedido", "order_purchase_timestamp", "Date de commande", "Fecha",
    "Fecha del pedido",
)  # fmt: skip
STATUS = (
    "State", "Order status", "Bestellstatus", "Zustand", "주문상태", "상태", "Situação",
    "Status do pedido", "Statut", "État de la commande", "Estado", "Estado del pedido",
)  # fmt: skip
SHIPPED = (
    "ShippedDate", "Ship date", "Shipped", "Versanddatum", "발송일", "배송일", "Data de envio",
    "order_delivered_carrier_date", "Date d'expédition", "Fecha de envío",
)  # fmt: skip
DELIVERED = (
    "DeliveredDate", "Delivery date", "Delivered", "Lieferdatum", "배송완료일", "Data de entrega",
    "order_delivered_customer_date", "Date de livraison", "Fecha de entrega",
)  # fmt: skip
COUNTRY = (
    "ShipCountry", "Ship to country", "Land", "국가", "País", "Pays de livraison",
    "País de envío",
)  # fmt: skip
CURRENCY = (
    "Currency code", "Währung", "통화", "Moeda", "Devise", "Moneda",
)  # fmt: skip
FREIGHT = (
    "Shipping", "Shipping cost", "Postage", "Versandkosten", "Porto", "배송비", "Frete",
    "freight_value", "Frais de port", "Gastos de envío",
)  # fmt: skip
POSITION = (
    "Line", "Line number", "Item", "order_item_id", "Pos", "순번", "Item do pedido", "Ligne",
    "Línea",
)  # fmt: skip
PRODUCT = (
    "ProductID", "Product", "Product code", "SKU", "Article", "Artikel", "Artikelnummer",
    "상품코드", "상품번호", "Produto", "Código do produto", "Produit", "Référence", "Producto",
    "Código del producto",
)  # fmt: skip
SELLER = (
    "SellerID", "Shop", "Vendor", "SupplierID", "Lieferant", "Verkäufer", "판매자", "판매자코드",
    "Vendedor", "Fournisseur", "Vendeur", "Proveedor", "Fornecedor",
)  # fmt: skip
DESCRIPTION = (
    "ProductName", "Product name", "Item name", "Bezeichnung", "상품명", "Nome do produto",
    "Désignation", "Nom du produit", "Nombre del producto",
)  # fmt: skip
QUANTITY = (
    "Qty", "Pieces", "Menge", "Anzahl", "Stück", "수량", "Quantidade", "Quantité", "Cantidad",
)  # fmt: skip
PRICE = (
    "UnitPrice", "Unit price", "Preis", "Einzelpreis", "단가", "가격", "Preço", "Prix",
    "Prix unitaire", "Precio", "Precio unitario", "Preço unitário",
)  # fmt: skip
DISCOUNT = (
    "Rabatt", "Nachlass", "할인", "할인율", "Desconto", "Remise", "Descuento",
)  # fmt: skip
SEQUENCE = ("payment_sequential", "Payment number", "Zahlung Nr", "결제순번", "Parcela")
METHOD = (
    "payment_type", "Payment method", "Paid by", "Zahlungsart", "Zahlart", "결제수단", "결제방법",
    "Forma de pagamento", "Mode de paiement", "Forma de pago",
)  # fmt: skip
REFERENCE = (
    "Payment reference", "Transaction", "Transaction ID", "Zahlungsreferenz", "거래번호",
    "승인번호", "Referência",
)  # fmt: skip
AMOUNT = (
    "payment_value", "Payment", "Amount paid", "Captured", "Betrag", "Zahlbetrag", "결제금액",
    "금액", "Valor", "Valor pago", "Montant", "Importe",
)  # fmt: skip
PAID = (
    "Paid", "Paid at", "Payment date", "Paid on", "Zahlungsdatum", "Bezahlt am", "결제일",
    "결제일시", "Data do pagamento", "Date de paiement", "Fecha de pago",
)  # fmt: skip

# What people call the columns of a sheet with one row for each line of an invoice.
LINES = {
    "invoice": (
        "InvoiceNo", "Invoice Number", "Rechnung", "Rechnungsnummer", "Rechnungs-Nr", "Facture",
        "Numéro de facture", "Factura", "Número de factura", "Fatura", "Nota fiscal", "송장번호",
    ),
    "code": (
        "StockCode", "Product code", "Artikel", "Artikelnummer", "Référence", "Código",
        "Código del producto", "Código do produto", "상품코드",
    ),
    "description": (
        "Bezeichnung", "Beschreibung", "Désignation", "Descripción", "Descrição", "상품명",
    ),
    "quantity": (
        "Qty", "Menge", "Anzahl", "Quantité", "Cantidad", "Quantidade", "수량",
    ),
    "placed_at": (
        "InvoiceDate", "Date", "Rechnungsdatum", "Datum", "Date de facture", "Fecha",
        "Fecha de factura", "Data", "Data da fatura", "송장일", "날짜",
    ),
    "price": (
        "UnitPrice", "Unit price", "Preis", "Einzelpreis", "Stückpreis", "Prix", "Prix unitaire",
        "Precio", "Precio unitario", "Preço", "Preço unitário", "단가",
    ),
    "customer": (
        "CustomerID", "Customer", "Customer number", "Kunde", "Kundennummer", "Client",
        "Numéro de client", "Cliente", "Número de cliente", "Número do cliente", "고객번호",
    ),
    "country": ("Land", "Pays", "País", "국가"),
}  # fmt: skip

# How others call the states of an order -> the state here.
STATES = {
    "placed": (
        "placed", "created", "new", "open", "pending", "neu", "offen", "신규", "주문접수", "criado",
    ),
    "paid": (
        "paid", "approved", "invoiced", "processing", "in progress", "bezahlt", "in bearbeitung",
        "결제완료", "처리중", "pago", "aprovado", "faturado",
    ),
    "shipped": ("shipped", "sent", "versendet", "versandt", "발송", "배송중", "enviado"),
    "delivered": (
        "delivered", "completed", "complete", "done", "geliefert", "zugestellt", "abgeschlossen",
        "배송완료", "완료", "entregue",
    ),
    "cancelled": (
        "cancelled", "canceled", "unavailable", "storniert", "abgebrochen", "취소", "주문취소",
        "cancelado", "indisponível",
    ),
}  # fmt: skip
